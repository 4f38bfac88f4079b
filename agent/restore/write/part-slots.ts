/** Files of several blobs, which several workers write at once: how many blobs are missing, and what went wrong. */

const slotWords = 8;
const slotAt = { missing: 0, phase: 1, damaged: 2, identity: 3 } as const;

export const partPhase = {
  /** Nobody has touched the file yet. */
  untouched: 0,
  /** One worker is opening it; the others wait. */
  opening: 1,
  open: 2,
  /** It was given up, and that was reported. */
  failed: 3,
} as const;

/** What another thread needs to attach. */
export interface SharedPartSlots {
  readonly rows: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
}

export class PartSlots {
  readonly shared: SharedPartSlots;
  readonly #rows: Uint32Array;
  readonly #slots: Int32Array;

  private constructor(shared: SharedPartSlots) {
    this.shared = shared;
    this.#rows = new Uint32Array(shared.rows);
    this.#slots = new Int32Array(shared.slots);
  }

  /** `rows` ascend; `missing[n]` is the number of blobs that file `rows[n]` waits for. */
  static create(rows: readonly number[], missing: readonly number[]): PartSlots {
    const slots = new PartSlots({
      rows: new SharedArrayBuffer(rows.length * 4),
      slots: new SharedArrayBuffer(rows.length * slotWords * 4),
    });
    slots.#rows.set(rows);
    for (const [slot, count] of missing.entries())
      slots.#slots[slot * slotWords + slotAt.missing] = count;
    return slots;
  }

  static attach(shared: SharedPartSlots): PartSlots {
    return new PartSlots(shared);
  }

  /** The slot of a row; -1 if it has none. */
  slotOf(row: number): number {
    const rows = this.#rows;
    let low = 0;
    let high = rows.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      if (rows[middle] === row) return middle;
      if (rows[middle] < row) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  phase(slot: number): number {
    return Atomics.load(this.#slots, slot * slotWords + slotAt.phase);
  }

  /** True for the one caller that shall open the file and then call `settle`; the others have waited until it has. */
  claim(slot: number): boolean {
    const at = slot * slotWords + slotAt.phase;
    const { untouched, opening } = partPhase;
    if (Atomics.compareExchange(this.#slots, at, untouched, opening) === untouched) return true;
    while (Atomics.load(this.#slots, at) === opening) Atomics.wait(this.#slots, at, opening, 1000);
    return false;
  }

  /** Ends `claim`: with the identity of the open file, or undefined if it failed. */
  settle(slot: number, identity: readonly number[] | undefined): void {
    const at = slot * slotWords;
    if (identity !== undefined) this.#slots.set(identity, at + slotAt.identity);
    const phase = identity === undefined ? partPhase.failed : partPhase.open;
    Atomics.store(this.#slots, at + slotAt.phase, phase);
    Atomics.notify(this.#slots, at + slotAt.phase);
  }

  identity(slot: number): readonly number[] {
    const at = slot * slotWords + slotAt.identity;
    return [...this.#slots.subarray(at, at + 4)];
  }

  /** Gives the file up; true for the first caller, which reports why. */
  fail(slot: number): boolean {
    const at = slot * slotWords + slotAt.phase;
    return Atomics.exchange(this.#slots, at, partPhase.failed) !== partPhase.failed;
  }

  noteDamaged(slot: number): void {
    Atomics.add(this.#slots, slot * slotWords + slotAt.damaged, 1);
  }

  damaged(slot: number): number {
    return Atomics.load(this.#slots, slot * slotWords + slotAt.damaged);
  }

  /** True while blobs are still to come. */
  isWaiting(slot: number): boolean {
    return Atomics.load(this.#slots, slot * slotWords + slotAt.missing) > 0;
  }

  /** Counts a blob that has arrived, or never will; true for the last one. */
  countDown(slot: number): boolean {
    return Atomics.sub(this.#slots, slot * slotWords + slotAt.missing, 1) === 1;
  }
}
