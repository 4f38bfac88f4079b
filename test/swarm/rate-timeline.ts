/** How many requests began in each second of the wall clock. */

export class RateTimeline {
  readonly #seconds: Map<number, number>;

  /** Empty, or as `toJSON` gave it. */
  constructor(seconds: readonly (readonly [number, number])[] = []) {
    this.#seconds = new Map(seconds);
  }

  add(timeMs: number, count = 1): void {
    const second = Math.floor(timeMs / 1000);
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + count);
  }

  merge(other: RateTimeline): void {
    for (const [second, count] of other.#seconds) this.add(second * 1000, count);
  }

  /** Mean and highest second of the whole seconds in between; zeros if there is none. */
  between(fromMs: number, toMs: number): { readonly mean: number; readonly peak: number } {
    const first = Math.ceil(fromMs / 1000);
    const end = Math.floor(toMs / 1000);
    let sum = 0;
    let peak = 0;
    for (let second = first; second < end; second += 1) {
      const count = this.#seconds.get(second) ?? 0;
      sum += count;
      peak = Math.max(peak, count);
    }
    return { mean: end > first ? sum / (end - first) : 0, peak };
  }

  toJSON(): [number, number][] {
    return [...this.#seconds];
  }
}
