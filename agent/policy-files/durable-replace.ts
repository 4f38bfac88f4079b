/** Replaces and removes small files so that a power cut leaves the old file or the new one. */
import { randomBytes } from "node:crypto";
import { mkdir, rename, rm, unlink } from "node:fs/promises";
import path from "node:path";
import type { DurableFiles } from "../../platform/ports/durable-files.ts";

/** Makes the folder, for the agent's user alone, if it is not there; what is there stays as it is. */
export async function makePrivateFolder(files: DurableFiles, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first !== undefined) await files.syncDirectory(path.dirname(first));
}

/** The folder must exist. Names that begin with a dot are left behind only by a power cut. */
export async function replaceFile(
  files: DurableFiles,
  file: string,
  content: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  const folder = path.dirname(file);
  const fresh = path.join(folder, `.${path.basename(file)}.${randomBytes(8).toString("hex")}`);
  try {
    await files.createFile(fresh, content, 0o600, signal);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => undefined);
    throw error;
  }
  await files.syncDirectory(folder);
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
