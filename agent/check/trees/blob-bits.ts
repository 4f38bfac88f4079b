/** One bit for each entry of a blob table, in memory that all threads share. */
export class BlobBits {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.shared = shared;
    this.#words = new Int32Array(shared);
  }

  /** Bits for the entries `0 … entries`, none set. */
  static create(entries: number): BlobBits {
    return new BlobBits(new SharedArrayBuffer(((entries >>> 5) + 1) * 4));
  }

  /** Entries that there are bits for, at least. */
  get size(): number {
    return this.#words.length * 32;
  }

  has(entry: number): boolean {
    return (this.#words[entry >>> 5] & (1 << (entry & 31))) !== 0;
  }

  /** For one thread at a time. */
  set(entry: number): void {
    this.#words[entry >>> 5] |= 1 << (entry & 31);
  }

  /** For one thread at a time. */
  clear(entry: number): void {
    this.#words[entry >>> 5] &= ~(1 << (entry & 31));
  }

  /** Takes back every bit that `others` has. */
  subtract(others: BlobBits): void {
    for (let word = 0; word < this.#words.length; word += 1)
      this.#words[word] &= ~others.#words[word];
  }

  /** Bits that are set. */
  get count(): number {
    let count = 0;
    for (let bits of this.#words) for (; bits !== 0; bits &= bits - 1) count += 1;
    return count;
  }

  get isEmpty(): boolean {
    return this.#words.every((word) => word === 0);
  }
}
