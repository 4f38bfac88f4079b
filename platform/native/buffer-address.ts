/** Memory addresses of array buffers, for calls that take pointers as plain numbers. */
import koffi from "koffi";

/** Remembers the addresses of the buffers used last: asking costs more than the calls it is for. */
export class BufferAddresses {
  readonly #buffers: (ArrayBufferLike | undefined)[] = new Array(8).fill(undefined);
  readonly #bases = new Float64Array(8);
  #next = 0;

  /** Address of `bytes[offset]`. Valid while the buffer lives and is not transferred away. */
  of(bytes: Uint8Array, offset: number): number {
    const buffer = bytes.buffer;
    const buffers = this.#buffers;
    for (let i = 0; i < 8; i += 1) {
      if (buffers[i] === buffer) return this.#bases[i] + bytes.byteOffset + offset;
    }
    if (buffer.byteLength === 0) return 0;
    const base = Number(koffi.address(new Uint8Array(buffer)));
    this.#buffers[this.#next] = buffer;
    this.#bases[this.#next] = base;
    this.#next = (this.#next + 1) & 7;
    return base + bytes.byteOffset + offset;
  }

  /** Forgets a buffer that is about to be transferred. */
  forget(buffer: ArrayBufferLike): void {
    const at = this.#buffers.indexOf(buffer);
    if (at >= 0) this.#buffers[at] = undefined;
  }
}
