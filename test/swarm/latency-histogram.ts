/** How long requests took, in classes of five per cent, so that the figures of many processes can be put together. */

const smallestMs = 0.05;
const growth = Math.log(1.05);
const classes = 400;

export class LatencyHistogram {
  readonly #counts: number[];

  /** Empty, or as `toJSON` gave it. */
  constructor(counts: readonly number[] = []) {
    this.#counts = Array.from({ length: classes }, (_, at) => counts[at] ?? 0);
  }

  /** `durationMs` ≥ 0; beyond about four hours all fall into the last class. */
  add(durationMs: number): void {
    const at = Math.ceil(Math.log(Math.max(durationMs, smallestMs) / smallestMs) / growth);
    this.#counts[Math.min(at, classes - 1)] += 1;
  }

  merge(other: LatencyHistogram): void {
    for (const [at, count] of other.#counts.entries()) this.#counts[at] += count;
  }

  get count(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** So long took the share `part` (0 to 1) at most, ms; 0 if there was nothing. */
  quantile(part: number): number {
    const wanted = Math.ceil(this.count * part);
    let seen = 0;
    for (const [at, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= wanted && count > 0) return smallestMs * Math.exp(at * growth);
    }
    return 0;
  }

  /** Without the empty classes at the end. */
  toJSON(): number[] {
    return this.#counts.slice(0, this.#counts.findLastIndex((count) => count > 0) + 1);
  }
}
