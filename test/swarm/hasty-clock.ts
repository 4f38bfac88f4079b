/** A clock whose waits are shorter than those who wait believe. The wall clock is the real one: signatures name its time. */
import { setTimeout as sleepFor } from "node:timers/promises";
import type { Clock } from "../../platform/ports/clock.ts";

/** `haste` times as quick; 1: a clock like any other. */
export function hastyClock(haste: number): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now() * haste,
    sleep: async (delayMs, signal) => {
      try {
        await sleepFor(Math.max(0, delayMs) / haste, undefined, { signal });
      } catch {
        throw signal.reason;
      }
    },
  };
}
