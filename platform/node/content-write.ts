/** Writing the whole content of a new file, past the system's cache where that is possible and pays. */
import type { FileHandle } from "node:fs/promises";
import { alignmentBytes, isAligned } from "./aligned-memory.ts";
import { type ExtraFileCalls, hasCode } from "./extra-file-calls.ts";

/** Bytes a call at most, so that an abort is noticed soon and a slow disk does not hold a pool thread for long. */
const writeBytesMax = 4 * 1024 * 1024;
/** Below this the cache is faster (and what is so small is read again soon). */
const unbufferedBytesMin = 1024 * 1024;

/**
 * Writes `data` from the beginning of `file`. Large data that begins at a page boundary goes to the disk
 * without a copy: measured, 16 MiB then cost 2 ms of processor time, not 22. Rejects with the system's
 * error, EIO if a write takes no bytes.
 */
export async function writeContent(
  file: FileHandle,
  data: Uint8Array,
  extra: ExtraFileCalls,
  signal: AbortSignal,
): Promise<void> {
  const start = await writeUnbuffered(file, data, extra, signal);
  await writeRun(file, data, start, data.length, signal);
}

/** Writes the whole pages of `data` as far as that works without the cache; returns the bytes written. */
async function writeUnbuffered(
  file: FileHandle,
  data: Uint8Array,
  extra: ExtraFileCalls,
  signal: AbortSignal,
): Promise<number> {
  const { setUnbuffered } = extra;
  if (data.length < unbufferedBytesMin || setUnbuffered === undefined || !isAligned(data)) return 0;
  if (!setUnbuffered(file, true)) return 0;
  let position = 0;
  try {
    const end = data.length - (data.length % alignmentBytes);
    while (position < end && position % alignmentBytes === 0)
      position += await writeSome(file, data, position, end, signal);
  } catch (error) {
    // Switched on, but refused for this file or these bytes.
    if (!hasCode(error, "EINVAL", "ENOTSUP", "EOPNOTSUPP")) throw error;
  }
  if (!setUnbuffered(file, false) && position < data.length)
    throw Object.assign(new Error("could not return to buffered writes"), { code: "EIO" });
  return position;
}

async function writeRun(
  file: FileHandle,
  data: Uint8Array,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<void> {
  let position = from;
  while (position < to) position += await writeSome(file, data, position, to, signal);
}

async function writeSome(
  file: FileHandle,
  data: Uint8Array,
  position: number,
  end: number,
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  const length = Math.min(end - position, writeBytesMax);
  const { bytesWritten } = await file.write(data, position, length, position);
  if (bytesWritten > 0) return bytesWritten;
  throw Object.assign(new Error("a write took no bytes"), { code: "EIO", syscall: "write" });
}
