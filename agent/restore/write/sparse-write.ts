/** Writes a blob without its long runs of zeros, where the file reads as zeros anyway. */
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";

/** Runs are looked for in windows of this size, at multiples of it in the file. */
const windowBytes = 64 * 1024;
const zeros = new Uint8Array(windowBytes);

/**
 * Writes `bytes[0, length)` at `position` of a file that holds nothing there. Returns the end of what was written,
 * `position` if that was nothing.
 */
export function writeSparse(
  files: TargetFiles,
  file: TargetHandle,
  bytes: Uint8Array,
  length: number,
  position: number,
): number {
  let from = 0;
  let end = position;
  // The first and the last window may be cut short: what lies beyond belongs to another blob.
  for (let at = 0; at < length; ) {
    const next = Math.min(length, at + windowBytes - ((position + at) % windowBytes));
    if (isZero(bytes, at, next)) {
      if (at > from) {
        files.write(file, bytes, from, at - from, position + from);
        end = position + at;
      }
      from = next;
    }
    at = next;
  }
  if (from < length) {
    files.write(file, bytes, from, length - from, position + from);
    end = position + length;
  }
  return end;
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  if (bytes[from] !== 0 || bytes[to - 1] !== 0) return false;
  return Buffer.compare(bytes.subarray(from, to), zeros.subarray(0, to - from)) === 0;
}
