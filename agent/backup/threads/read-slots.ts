/** Bounds how many threads read the source at once: a spinning disk wants one reader. */

/** Word 0: free slots. Without a bound, entering costs one look. */
export class ReadSlots {
  readonly #words: Int32Array;
  readonly #isBounded: boolean;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
    this.#isBounded = this.#words[1] !== 0;
  }

  /** Memory for `readers` slots; 0 means no bound. */
  static create(readers: number): SharedArrayBuffer {
    const words = new Int32Array(new SharedArrayBuffer(8));
    words[0] = readers;
    words[1] = readers;
    return words.buffer;
  }

  /** Takes a slot, sleeping until one is free. */
  enter(): void {
    if (!this.#isBounded) return;
    for (;;) {
      const free = Atomics.load(this.#words, 0);
      if (free === 0) Atomics.wait(this.#words, 0, 0);
      else if (Atomics.compareExchange(this.#words, 0, free, free - 1) === free) return;
    }
  }

  leave(): void {
    if (!this.#isBounded) return;
    Atomics.add(this.#words, 0, 1);
    Atomics.notify(this.#words, 0, 1);
  }
}
