/** Memory addresses of array buffers, for calls that take pointers as plain numbers. */
import koffi from "koffi";

const slots = 8;
/** Buffers above this share two slots of their own, so that few of them are kept alive from here. */
const largeBytes = 1024 * 1024;
const largeSlots = 2;
/** Larger ones are not remembered at all: calls on them take so long that asking costs nothing. */
const rememberedBytesMax = 64 * 1024 * 1024;

/**
 * Remembers the addresses of the buffers used last: asking takes as long as a short call. What it
 * remembers stays alive, so an address can't be given to another buffer meanwhile; a buffer that was
 * transferred away has views without length, which `of` refuses.
 */
export class BufferAddresses {
  readonly #buffers: (ArrayBufferLike | undefined)[] = Array.from({
    length: slots + largeSlots,
  });
  readonly #bases = new Float64Array(slots + largeSlots);
  #next = 0;
  #nextLarge = 0;

  /**
   * Address of `bytes[offset]`, or 0 if `bytes` has no bytes (detached arrays have none). Valid until the
   * caller lets go of the buffer or transfers it.
   */
  of(bytes: Uint8Array, offset: number): number {
    if (bytes.length === 0) return 0;
    const buffer = bytes.buffer;
    const buffers = this.#buffers;
    for (let i = 0; i < slots + largeSlots; i += 1) {
      if (buffers[i] === buffer) return this.#bases[i] + bytes.byteOffset + offset;
    }
    const base = Number(koffi.address(new Uint8Array(buffer)));
    if (buffer.byteLength <= rememberedBytesMax) {
      const slot = buffer.byteLength > largeBytes ? this.#largeSlot() : this.#slot();
      buffers[slot] = buffer;
      this.#bases[slot] = base;
    }
    return base + bytes.byteOffset + offset;
  }

  #slot(): number {
    this.#next = (this.#next + 1) % slots;
    return this.#next;
  }

  #largeSlot(): number {
    this.#nextLarge = (this.#nextLarge + 1) % largeSlots;
    return slots + this.#nextLarge;
  }
}
