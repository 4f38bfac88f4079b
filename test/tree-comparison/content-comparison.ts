/** Compares the bytes of two files, without reading what is a hole in both. */
import { closeSync, constants, openSync, readSync } from "node:fs";
import { lastErrorName, libc, seekWhence } from "../../platform/linux/libc.ts";
import { systemName } from "../../platform/system-name.ts";

const pieceBytes = 1024 * 1024;

/** One per comparison. */
export class ContentComparison {
  readonly #seesHoles = systemName().system === "linux";
  readonly #left = Buffer.allocUnsafeSlow(pieceBytes);
  readonly #right = Buffer.allocUnsafeSlow(pieceBytes);
  /** Bytes of each side that were read. */
  bytesRead = 0;

  /**
   * Position of the first byte that differs, or -1. Both files have `sizeBytes`; `mayHaveHoles` may be false only
   * where the file system says that it stores every byte of both.
   */
  firstDifference(left: Buffer, right: Buffer, sizeBytes: number, mayHaveHoles: boolean): number {
    if (sizeBytes === 0) return -1;
    const leftFile = openSync(left, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const rightFile = openSync(right, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        return this.#compare(leftFile, rightFile, sizeBytes, mayHaveHoles && this.#seesHoles);
      } finally {
        closeSync(rightFile);
      }
    } finally {
      closeSync(leftFile);
    }
  }

  #compare(left: number, right: number, sizeBytes: number, mayHaveHoles: boolean): number {
    let at = 0;
    while (at < sizeBytes) {
      if (mayHaveHoles) {
        at = Math.min(dataAt(left, at, sizeBytes), dataAt(right, at, sizeBytes));
        if (at >= sizeBytes) break;
      }
      const length = Math.min(pieceBytes, sizeBytes - at);
      const leftBytes = readFully(left, this.#left, length, at);
      const rightBytes = readFully(right, this.#right, length, at);
      this.bytesRead += length;
      const common = Math.min(leftBytes, rightBytes);
      if (this.#left.compare(this.#right, 0, common, 0, common) !== 0)
        return at + differingByte(this.#left, this.#right);
      if (common < length) return at + common;
      at += length;
    }
    return -1;
  }
}

/** Where the next data begins at or behind `at`; `end` if there is none. */
function dataAt(descriptor: number, at: number, end: number): number {
  const found = Number(libc().lseek(descriptor, at, seekWhence.data));
  if (found >= 0) return Math.min(found, end);
  const code = lastErrorName();
  if (code === "ENXIO") return end;
  if (code === "EINVAL") return at;
  throw new Error(`lseek: ${code}`);
}

function readFully(descriptor: number, buffer: Buffer, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const count = readSync(descriptor, buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

function differingByte(left: Buffer, right: Buffer): number {
  let at = 0;
  while (left[at] === right[at]) at += 1;
  return at;
}
