/** Memory that system calls read and write: long-lived, with its address known once. */
import koffi from "koffi";
import { BufferAddresses } from "../native/buffer-address.ts";
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

const addresses = new BufferAddresses();

/**
 * Address of the first byte of `array`, valid while its buffer is neither collected nor detached; 0 if it is empty.
 * Repeated calls with views of the same buffers cost next to nothing.
 */
export function addressOf(array: Uint8Array): number {
  return addresses.of(array, 0);
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
