/** Reading the files of `--exclude-file`, `--files-from` and their kin, before anything else starts. */
import { closeSync, openSync, readSync } from "node:fs";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ListFile } from "../backup/select/list-text.ts";

const maxBytes = 512 * 1024 * 1024;
const readBytes = 64 * 1024;

/**
 * The whole file, or standard input for `-`. Throws LIST_UNREADABLE if it is missing, can't be read, or is larger than
 * 512 MiB: a backup without its excludes could save secrets, or terabytes.
 */
export function readListFile(path: string, option: string): ListFile {
  const name = path === "-" ? "standard input" : path;
  try {
    const descriptor = path === "-" ? 0 : openSync(path, "r");
    try {
      return { name, content: readAll(descriptor) };
    } finally {
      if (descriptor !== 0) closeSync(descriptor);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BackstayError("LIST_UNREADABLE", { option, file: name, reason }, error);
  }
}

function readAll(descriptor: number): Uint8Array {
  const chunks: Uint8Array[] = [];
  let totalBytes = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(readBytes);
    const count = readSome(descriptor, chunk);
    if (count === 0) return Buffer.concat(chunks, totalBytes);
    totalBytes += count;
    if (totalBytes > maxBytes) throw new Error(`larger than ${maxBytes} bytes`);
    chunks.push(chunk.subarray(0, count));
  }
}

/** Reads once more while a terminal or pipe that does not block has nothing yet. */
function readSome(descriptor: number, chunk: Uint8Array): number {
  for (;;) {
    try {
      return readSync(descriptor, chunk);
    } catch (error) {
      if (!isAgain(error)) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

function isAgain(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EAGAIN";
}
