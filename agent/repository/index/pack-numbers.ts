/** Finds the number of a pack by its id, in 8 bytes a pack: there may be a million of them. */
import { randomFillSync } from "node:crypto";
import type { BlobTable } from "./blob-table.ts";
import { keyedHash } from "./keyed-hash.ts";

/** Numbers of the packs of one table. Only this may add packs to the table while it is in use. */
export class PackNumbers {
  readonly #table: BlobTable;
  readonly #key = randomFillSync(new Int32Array(2));
  readonly #words = new Int32Array(8);
  readonly #bytes = new Uint8Array(this.#words.buffer);
  readonly #held = new Uint8Array(32);
  /** 0, or the number of a pack plus one. */
  #slots: Int32Array;

  constructor(table: BlobTable) {
    this.#table = table;
    this.#slots = new Int32Array(1024);
    this.#fill();
  }

  /** The number of the pack whose 32-byte id stands at `ids[offset]`, or -1 if it is not known. */
  find(ids: Uint8Array, offset = 0): number {
    return this.#slots[this.#slotOf(ids, offset)] - 1;
  }

  /** The same; a pack that is not known is added to the table. */
  findOrAdd(ids: Uint8Array, offset = 0): number {
    const slot = this.#slotOf(ids, offset);
    const known = this.#slots[slot] - 1;
    if (known >= 0) return known;
    const number = this.#table.addPack(ids.subarray(offset, offset + 32));
    this.#slots[slot] = number + 1;
    if (number * 2 > this.#slots.length) this.#fill();
    return number;
  }

  /** The slot of the pack, or the free one where it belongs. */
  #slotOf(ids: Uint8Array, offset: number): number {
    const bytes = this.#bytes;
    for (let i = 0; i < 32; i += 1) bytes[i] = ids[offset + i];
    const mask = this.#slots.length - 1;
    for (let slot = keyedHash(this.#words, this.#key[0], this.#key[1]) & mask; ; ) {
      const held = this.#slots[slot];
      if (held === 0 || this.#isSame(held - 1)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #isSame(number: number): boolean {
    this.#table.copyPackId(number, this.#held, 0);
    for (let i = 0; i < 32; i += 1) if (this.#held[i] !== this.#bytes[i]) return false;
    return true;
  }

  /** Enters every pack of the table, with room for as many again. */
  #fill(): void {
    const count = this.#table.packCount;
    let size = this.#slots.length;
    while (size < count * 4) size *= 2;
    this.#slots = new Int32Array(size);
    const id = new Uint8Array(32);
    for (let number = 0; number < count; number += 1) {
      this.#table.copyPackId(number, id, 0);
      const slot = this.#slotOf(id, 0);
      if (this.#slots[slot] === 0) this.#slots[slot] = number + 1;
    }
  }
}
