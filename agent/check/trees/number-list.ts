/** A list of numbers below 2^32 that grows, without an object for each. */
export class NumberList {
  #numbers: Uint32Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#numbers = new Uint32Array(Math.max(1, capacity));
  }

  get length(): number {
    return this.#length;
  }

  at(place: number): number {
    return this.#numbers[place];
  }

  push(number: number): void {
    if (this.#length === this.#numbers.length) this.#grow(this.#length * 2);
    this.#numbers[this.#length] = number;
    this.#length += 1;
  }

  pushAll(numbers: Uint32Array): void {
    const length = this.#length + numbers.length;
    if (length > this.#numbers.length) this.#grow(Math.max(length, this.#numbers.length * 2));
    this.#numbers.set(numbers, this.#length);
    this.#length = length;
  }

  /** The last number, taken away; undefined if there is none. */
  pop(): number | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    return this.#numbers[this.#length];
  }

  /** Replaces the number at a place that the list has. */
  set(place: number, number: number): void {
    this.#numbers[place] = number;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Leaves each number from `start` on once, in ascending order. */
  sortFrom(start: number): void {
    const part = this.#numbers.subarray(start, this.#length).sort();
    let kept = start;
    for (let place = 0; place < part.length; place += 1) {
      if (place > 0 && part[place] === this.#numbers[kept - 1]) continue;
      this.#numbers[kept] = part[place];
      kept += 1;
    }
    this.#length = kept;
  }

  /** A copy. */
  toArray(): Uint32Array<ArrayBuffer> {
    return this.#numbers.slice(0, this.#length);
  }

  #grow(capacity: number): void {
    const larger = new Uint32Array(capacity);
    larger.set(this.#numbers.subarray(0, this.#length));
    this.#numbers = larger;
  }
}
