/** The rate of work over the last seconds, and when it will be done. Pure: the caller has the clock. */

const windowMs = 15_000;
const sampleMs = 500;
/** Earlier than this nothing can be said. */
const settledMs = 2_000;

export class RateEstimate {
  readonly #samples: { readonly timeMs: number; readonly amount: number }[] = [];

  /** Notes how much is done at a time; both never go back. */
  add(timeMs: number, amount: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && timeMs - last.timeMs < sampleMs) return;
    this.#samples.push({ timeMs, amount });
    while (this.#samples.length > 2 && this.#samples[0].timeMs < timeMs - windowMs)
      this.#samples.shift();
  }

  /** Amount a second; undefined while that cannot be said. */
  perSecond(): number | undefined {
    const first = this.#samples.at(0);
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const spanMs = last.timeMs - first.timeMs;
    return spanMs < settledMs ? undefined : ((last.amount - first.amount) * 1000) / spanMs;
  }

  /** Ms until `total` is reached; undefined while that cannot be said. */
  remainingMs(total: number): number | undefined {
    const rate = this.perSecond();
    const done = this.#samples.at(-1)?.amount ?? 0;
    if (rate === undefined || rate <= 0) return undefined;
    return (Math.max(0, total - done) * 1000) / rate;
  }
}
