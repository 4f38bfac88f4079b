/** One sleep makes one `sleep` and one `resume`, told by the system, by the clocks, or by both. */
import type { SystemEvent } from "../ports/system-events.ts";

/** What the system and the clocks say of one awakening lies no further apart. */
const sameResumeMs = 30_000;

export class SleepState {
  readonly #emit: (event: SystemEvent) => void;
  readonly #now: () => number;
  #isSleeping = false;
  #resumedAtMs = Number.NEGATIVE_INFINITY;

  /** `now` is a monotonic clock in ms that stands still during sleep. */
  constructor(emit: (event: SystemEvent) => void, now: () => number) {
    this.#emit = emit;
    this.#now = now;
  }

  /** The system says that sleep begins, or has ended. */
  announced(isBeginning: boolean): void {
    if (!isBeginning) this.#resume();
    else if (!this.#isSleeping) {
      this.#isSleeping = true;
      this.#emit({ kind: "sleep" });
    }
  }

  /** The clocks show that the machine slept since they were last read. */
  noticed(): void {
    this.#resume();
  }

  #resume(): void {
    const isRepeated = !this.#isSleeping && this.#now() - this.#resumedAtMs <= sameResumeMs;
    this.#isSleeping = false;
    this.#resumedAtMs = this.#now();
    if (!isRepeated) this.#emit({ kind: "resume" });
  }
}
