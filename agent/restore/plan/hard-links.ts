/** Finds the names of one file: by inode and device, exact to 64 bits, without an object per file. */
import { randomInt } from "node:crypto";

const entryWords = 5;

/** Chosen anew in each process: the numbers come from the repository, and must not be able to collide on purpose. */
const secret = randomInt(2 ** 32);

export class HardLinks {
  /** Slots of inode (2 words), device (2), row + 1 (0: free). */
  #slots = new Uint32Array(1024 * entryWords);
  #count = 0;

  /** The row that was noted first for this file; notes `row` and returns -1 if there is none. */
  firstOf(inode: bigint, device: bigint, row: number): number {
    if (this.#count * 2 >= this.#slots.length / entryWords) this.#grow();
    const words = [
      Number(inode & 0xffffffffn),
      Number(inode >> 32n),
      Number(device & 0xffffffffn),
      Number(device >> 32n),
    ];
    const at = find(this.#slots, words);
    const held = this.#slots[at + 4];
    if (held !== 0) return held - 1;
    this.#slots.set(words, at);
    this.#slots[at + 4] = row + 1;
    this.#count += 1;
    return -1;
  }

  #grow(): void {
    const old = this.#slots;
    const grown = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += entryWords) {
      if (old[at + 4] === 0) continue;
      const slot = find(grown, old.subarray(at, at + 4));
      for (let i = 0; i < entryWords; i += 1) grown[slot + i] = old[at + i];
    }
    this.#slots = grown;
  }
}

/** Offset of the slot that holds the key, or of the free one where it belongs. */
function find(slots: Uint32Array, key: ArrayLike<number>): number {
  const mask = slots.length / entryWords - 1;
  let hash = secret ^ Math.imul(key[0] ^ secret, 0x9e3779b1) ^ Math.imul(key[1], 0x85ebca77);
  hash ^= Math.imul(key[2] ^ (key[3] << 7), 0xc2b2ae3d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash ^= hash >>> 13;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const at = slot * entryWords;
    if (slots[at + 4] === 0) return at;
    let i = 0;
    while (i < 4 && slots[at + i] === key[i]) i += 1;
    if (i === 4) return at;
  }
}
