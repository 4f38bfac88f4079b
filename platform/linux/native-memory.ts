/** Memory that system calls read and write: long-lived, with its address known once. */
import koffi from "koffi";
import { FileError } from "../ports/source-files.ts";

/** A fixed buffer and its address. */
export class NativeMemory {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly address: number;

  /** `sizeBytes` is a multiple of 4. */
  constructor(sizeBytes: number) {
    const buffer = new ArrayBuffer(sizeBytes);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.address = Number(koffi.address(buffer));
  }
}

const addresses = new WeakMap<ArrayBufferLike, number>();
let lastBuffer: ArrayBufferLike | undefined;
let lastAddress = 0;

/**
 * Address of the first byte of `array`, valid while its buffer is neither collected nor detached.
 * Repeated calls with views of the same buffer cost next to nothing.
 */
export function addressOf(array: Uint8Array): number {
  const buffer = array.buffer;
  if (buffer !== lastBuffer) {
    let address = addresses.get(buffer);
    if (address === undefined) {
      address = Number(koffi.address(buffer));
      addresses.set(buffer, address);
    }
    lastBuffer = buffer;
    lastAddress = address;
  }
  return lastAddress + array.byteOffset;
}

/** More than any path that Linux accepts in one call. */
const longestPathBytes = 4096;

/** Holds one path at a time, with the zero byte that ends it in C. */
export class PathMemory {
  readonly #memory = new NativeMemory(longestPathBytes + 4);
  readonly #bytes = this.#memory.bytes;
  readonly #address = this.#memory.address;

  /**
   * Copies `name` and returns its address, good until the next call.
   * Throws FileError EINVAL for a zero byte inside (it would name another file), ENAMETOOLONG beyond 4096 bytes.
   */
  write(name: Uint8Array): number {
    const bytes = this.#bytes;
    const length = name.length;
    if (length > longestPathBytes) {
      throw new FileError("ENAMETOOLONG", "open", Buffer.from(name).toString());
    }
    for (let at = 0; at < length; at++) {
      const byte = name[at];
      if (byte === 0) {
        throw new FileError("EINVAL", "open", Buffer.from(name).toString());
      }
      bytes[at] = byte;
    }
    bytes[length] = 0;
    return this.#address;
  }
}
