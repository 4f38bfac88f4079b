/** A clock on which waits take no time: what waits goes on at once, and the clock says that the time has passed. */
import { setImmediate as turn } from "node:timers/promises";
import type { Clock } from "../../platform/ports/clock.ts";

export class HurriedClock implements Clock {
  #skippedMs = 0;

  /** Of all waits so far, ms. */
  get skippedMs(): number {
    return this.#skippedMs;
  }

  now(): number {
    return Date.now() + this.#skippedMs;
  }

  monotonic(): number {
    return performance.now() + this.#skippedMs;
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#skippedMs += Math.max(0, delayMs);
    await turn();
    signal.throwIfAborted();
  }
}
