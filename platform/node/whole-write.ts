/** Writing all bytes of an array to an open file, however few of them the system takes at a time. */
import type { FileHandle } from "node:fs/promises";

/** Bytes a call at most, so that an abort is noticed soon and one slow disk does not hold a pool thread for long. */
export const writeBytesMax = 4 * 1024 * 1024;

/** Writes `data[from, to)` at the same position of the file. Rejects with the system's error, EIO if a write makes no progress. */
export async function writeWhole(
  file: FileHandle,
  data: Uint8Array,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<void> {
  let position = from;
  while (position < to) {
    signal.throwIfAborted();
    const length = Math.min(to - position, writeBytesMax);
    const { bytesWritten } = await file.write(data, position, length, position);
    if (bytesWritten <= 0) throw noProgress();
    position += bytesWritten;
  }
}

function noProgress(): Error {
  return Object.assign(new Error("write took no bytes"), { code: "EIO", syscall: "write" });
}
