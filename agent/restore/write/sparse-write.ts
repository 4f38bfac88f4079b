/** Writes a blob without its long runs of zeros, where the file reads as zeros anyway. */
import type { TargetFiles, TargetHandle } from "../../../platform/ports/target-files.ts";

/** Runs are looked for in windows of this size, at multiples of it in the file. */
const windowBytes = 64 * 1024;
const zeros = new Uint8Array(windowBytes);

/** Writes `bytes[0, length)` at `position` of a file that holds nothing there. Returns the end of what was written. */
export function writeSparse(
  files: TargetFiles,
  file: TargetHandle,
  bytes: Uint8Array,
  length: number,
  position: number,
): number {
  let from = 0;
  let at = (windowBytes - (position % windowBytes)) % windowBytes;
  let end = position;
  for (; at + windowBytes <= length; at += windowBytes) {
    if (!isZero(bytes, at)) continue;
    if (at > from) {
      files.write(file, bytes, from, at - from, position + from);
      end = position + at;
    }
    from = at + windowBytes;
  }
  if (from < length) {
    files.write(file, bytes, from, length - from, position + from);
    end = position + length;
  }
  return end;
}

function isZero(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0 || bytes[at + windowBytes / 2] !== 0) return false;
  return Buffer.compare(bytes.subarray(at, at + windowBytes), zeros) === 0;
}
