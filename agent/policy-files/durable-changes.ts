/** Makes folders and removes files so that a power cut does not bring back what was before. */
import { mkdir, unlink } from "node:fs/promises";
import path from "node:path";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";

/** Makes the folder, for the agent's user alone, if it is not there; what is there stays as it is. */
export async function makePrivateFolder(files: DurableFiles, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first !== undefined) await files.syncDirectory(path.dirname(first));
}

/** False if there is no such file. */
export async function removeFile(files: DurableFiles, file: string): Promise<boolean> {
  try {
    await unlink(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  await files.syncDirectory(path.dirname(file));
  return true;
}
