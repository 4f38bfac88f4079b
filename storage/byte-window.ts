/** Which bytes of a stored file a load returns: the one place that knows the range rules of the contract. */
import { BackstayError } from "../protocol/backstay-error.ts";
import { type ByteRange, type Handle, handlePath, loadBytesMax } from "./object-store.ts";

/**
 * The bytes to return of a file of `sizeBytes`, as a range whose length may be 0 (an empty file).
 * Throws STORE_RANGE if the file ends before `range` does or more than `loadBytesMax` would be returned.
 */
export function byteWindow(
  handle: Handle,
  sizeBytes: number,
  range: ByteRange | undefined,
): ByteRange {
  const offset = range === undefined ? 0 : range.offset;
  const length = range === undefined ? sizeBytes : range.length;
  if (offset + length <= sizeBytes && length <= loadBytesMax) return { offset, length };
  throw new BackstayError("STORE_RANGE", {
    file: handlePath(handle),
    sizeBytes,
    offset,
    length,
  });
}
