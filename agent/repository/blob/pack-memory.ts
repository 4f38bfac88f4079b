/** Whole packs in memory, the ones used last, and how often others were asked for. */

/** Packs whose uses are counted at the same time. */
const countedMax = 64;

/**
 * Holds packs of at most `heldBytesMax` in all. A pack that is asked for often in parts is worth having
 * whole; `countUse` tells how often that was.
 */
export class PackMemory {
  readonly #heldBytesMax: number;
  readonly #held = new Map<string, Uint8Array>();
  readonly #uses = new Map<string, number>();
  #heldBytes = 0;

  constructor(heldBytesMax: number) {
    this.#heldBytesMax = heldBytesMax;
  }

  get(pack: string): Uint8Array | undefined {
    const bytes = this.#held.get(pack);
    if (bytes !== undefined) {
      this.#held.delete(pack);
      this.#held.set(pack, bytes);
    }
    return bytes;
  }

  put(pack: string, bytes: Uint8Array): void {
    this.delete(pack);
    this.#uses.delete(pack);
    if (bytes.length > this.#heldBytesMax) return;
    this.#held.set(pack, bytes);
    this.#heldBytes += bytes.length;
    for (const oldest of this.#held.keys()) {
      if (this.#heldBytes <= this.#heldBytesMax) return;
      this.delete(oldest);
    }
  }

  delete(pack: string): void {
    this.#heldBytes -= this.#held.get(pack)?.length ?? 0;
    this.#held.delete(pack);
  }

  /** Counts a use of a part of a pack that is not held; gives the uses so far. */
  countUse(pack: string): number {
    const uses = (this.#uses.get(pack) ?? 0) + 1;
    this.#uses.delete(pack);
    this.#uses.set(pack, uses);
    const [oldest] = this.#uses.keys();
    if (this.#uses.size > countedMax && oldest !== undefined) this.#uses.delete(oldest);
    return uses;
  }
}
