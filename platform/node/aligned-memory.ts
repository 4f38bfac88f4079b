/** Memory that begins at a page boundary, as unbuffered disk writes want it. */
import koffi from "koffi";

/** What disks and file systems ask for at most. */
export const alignmentBytes = 4096;

/** Zeroed memory on a buffer of its own, beginning at a multiple of `alignmentBytes`. */
export function allocateAligned(sizeBytes: number, isShared = false): Uint8Array {
  const length = sizeBytes + alignmentBytes;
  const memory = isShared ? new SharedArrayBuffer(length) : new ArrayBuffer(length);
  const excess = Number(koffi.address(memory)) % alignmentBytes;
  return new Uint8Array(memory, excess === 0 ? 0 : alignmentBytes - excess, sizeBytes);
}

/** True if `data` begins at a multiple of `alignmentBytes`. Empty data never does. */
export function isAligned(data: Uint8Array): boolean {
  return data.length > 0 && Number(koffi.address(data)) % alignmentBytes === 0;
}
