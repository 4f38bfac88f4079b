/** The clock of this machine. */
import type { Clock } from "../ports/clock.ts";

/** Node's timers fire at once for anything longer than 2^31 ms, so long waits are made of shorter ones. */
const timerMsMax = 24 * 60 * 60 * 1000;

export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const end = performance.now() + delayMs;
    for (let left = delayMs; left > 0; left = end - performance.now())
      await wait(Math.min(Math.ceil(left), timerMsMax), signal);
  }
}

function wait(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal.addEventListener("abort", onAbort, { once: true });
  });
}
