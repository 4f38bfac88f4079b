/**
 * Virtual time for tests: nobody really sleeps. Whenever everybody waits, time jumps to the next sleeper's
 * moment. Work that waits for real input or output does not hold time back.
 */
import type { Clock } from "../ports/clock.ts";

interface Sleeper {
  readonly wakeMs: number;
  readonly wake: () => void;
}

export class FakeClock implements Clock {
  /** All sleeps asked for, in ms, in the order of asking. */
  readonly sleeps: number[] = [];
  #nowMs = 0;
  #sleepers: Sleeper[] = [];
  readonly #startMs: number;

  /** `startMs` is the wall clock at the beginning. */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  /** Lets time pass without anybody sleeping. */
  advance(ms: number): void {
    this.#nowMs += ms;
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.sleeps.push(delayMs);
    if (delayMs <= 0) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper: Sleeper = { wakeMs: this.#nowMs + delayMs, wake: resolve };
    const onAbort = (): void => {
      this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
      reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#sleepers.push(sleeper);
    setImmediate(() => this.#wakeNext());
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  #wakeNext(): void {
    const next = this.#sleepers.reduce<Sleeper | undefined>(
      (first, other) => (first === undefined || other.wakeMs < first.wakeMs ? other : first),
      undefined,
    );
    if (next === undefined) return;
    this.#sleepers = this.#sleepers.filter((other) => other !== next);
    this.#nowMs = Math.max(this.#nowMs, next.wakeMs);
    next.wake();
  }
}
