/** Gives other work of this thread its turn during long calculations: progress, signals, the lock's refresh. */
import { setImmediate as immediately } from "node:timers/promises";

const turnMs = 20;

export class Turns {
  readonly #signal: AbortSignal;
  #sinceMs = performance.now();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** True if it is time to `give`: cheap enough to ask often. */
  get isDue(): boolean {
    return performance.now() - this.#sinceMs >= turnMs;
  }

  /** Lets other work run. Rejects with the signal's reason when that is aborted. */
  async give(): Promise<void> {
    await immediately();
    this.#signal.throwIfAborted();
    this.#sinceMs = performance.now();
  }
}
