/** Bytes of many small records in shared memory, appended once and then read by all threads. */
import { BackstayError } from "../../../protocol/backstay-error.ts";

const chunkBits = 20;
const chunkBytes = 1 << chunkBits;
const chunksMax = 4096;

/** What another thread needs to read the same arena, once nothing is appended any more. */
export type SharedArena = readonly SharedArrayBuffer[];

export class ByteArena {
  readonly #chunks: Uint8Array[] = [];
  #used = chunkBytes;
  /** Shared memory taken so far. */
  sizeBytes = 0;

  static attach(shared: SharedArena): ByteArena {
    const arena = new ByteArena();
    for (const chunk of shared) arena.#chunks.push(new Uint8Array(chunk));
    return arena;
  }

  get shared(): SharedArena {
    return this.#chunks.map((chunk) => chunk.buffer as SharedArrayBuffer);
  }

  /** Copies a record in; returns its address (u32). RESTORE_TOO_LARGE beyond 4 GiB. */
  append(bytes: Uint8Array): number {
    const room = this.#reserve(bytes.length);
    this.#chunks[room >>> chunkBits].set(bytes, room & (chunkBytes - 1));
    return room;
  }

  /** The `length` bytes at an address; they share memory with the arena. */
  view(address: number, length: number): Uint8Array {
    const chunk = this.#chunks[address >>> chunkBits];
    return new Uint8Array(chunk.buffer, address & (chunkBytes - 1), length);
  }

  /** Address of free room for a record. Records never cross chunks; a large one gets a chunk of its own size. */
  #reserve(length: number): number {
    if (this.#used + length > chunkBytes) {
      const size = Math.max(length, chunkBytes);
      if (this.#chunks.length >= chunksMax)
        throw new BackstayError("RESTORE_TOO_LARGE", { problem: "too many names" });
      this.#chunks.push(new Uint8Array(new SharedArrayBuffer(size)));
      this.sizeBytes += size;
      this.#used = 0;
    }
    const address = (this.#chunks.length - 1) * chunkBytes + this.#used;
    this.#used += length;
    return address;
  }
}
