/** The file of the master key: 32 random bytes as base64 in one line, for its owner only. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { masterKeyBytes } from "./vault.ts";

/** The master key in `path`. VAULT_KEY if there is no such file or it holds none. */
export async function readMasterKey(path: string): Promise<Uint8Array> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new BackstayError("VAULT_KEY", { path, problem: error.code ?? String(error) }, error);
  });
  const key = Buffer.from(text.trim(), "base64");
  if (key.length !== masterKeyBytes)
    throw new BackstayError("VAULT_KEY", { path, problem: "it is not 32 bytes in base64" });
  return key;
}

/** As `readMasterKey`, but makes the file if it is not there; its folder must exist. */
export async function readOrMakeMasterKey(path: string, signal: AbortSignal): Promise<Uint8Array> {
  const text = `${randomBytes(masterKeyBytes).toString("base64")}\n`;
  // If another server was quicker, its key is the one that counts.
  await openDurableFiles().createFile(path, Buffer.from(text), 0o600, signal);
  return await readMasterKey(path);
}
