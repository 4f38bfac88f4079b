/** Which handles and ranges are allowed: checked by every store before it touches anything. */
import { BackstayError } from "../protocol/backstay-error.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  handlePath,
  loadBytesMax,
} from "./object-store.ts";

const idName = /^[0-9a-f]{64}$/;
const ownName = /^[a-z0-9-](?:[a-z0-9.-]{0,126}[a-z0-9-])?$/;

/** True if a file of this type may have this name. No such name holds a separator or names a folder. */
export function isFileName(type: FileType, name: string): boolean {
  if (type === "config") return name === "";
  return type === "backstay" ? ownName.test(name) : idName.test(name);
}

/** Throws INTERNAL unless the handle keeps the rules of `Handle`. */
export function assertHandle(handle: Handle): void {
  if (fileTypes.includes(handle.type) && isFileName(handle.type, handle.name)) return;
  throw new BackstayError("INTERNAL", {
    problem: "not a valid handle",
    type: handle.type,
    name: JSON.stringify(handle.name).slice(0, 80),
  });
}

/** Throws INTERNAL unless the type is one of the contract's. */
export function assertFileType(type: FileType): void {
  if (fileTypes.includes(type)) return;
  throw new BackstayError("INTERNAL", { problem: "not a file type", type });
}

/** What is asked of a store before it reads: INTERNAL unless handle and range keep their rules, then the signal's reason. */
export function assertRead(
  handle: Handle,
  range: ByteRange | undefined,
  signal: AbortSignal,
): void {
  assertHandle(handle);
  assertRange(range);
  signal.throwIfAborted();
}

/** As `assertRead`, of what is held in memory: STORE_RANGE for a range of more than `loadBytesMax`. */
export function assertLoad(
  handle: Handle,
  range: ByteRange | undefined,
  signal: AbortSignal,
): void {
  assertRead(handle, range, signal);
  if (range === undefined || range.length <= loadBytesMax) return;
  const file = handlePath(handle);
  throw new BackstayError("STORE_RANGE", { file, ...range, most: loadBytesMax });
}

/** Throws INTERNAL unless the range keeps the rules of `ByteRange`. */
function assertRange(range: ByteRange | undefined): void {
  if (range === undefined) return;
  const { offset, length } = range;
  const valid =
    Number.isSafeInteger(offset) &&
    Number.isSafeInteger(length) &&
    offset >= 0 &&
    length > 0 &&
    Number.isSafeInteger(offset + length);
  if (!valid)
    throw new BackstayError("INTERNAL", {
      problem: "not a valid range",
      offset,
      length,
    });
}
