/** Gives the clock of this machine. */
import { SystemClock } from "./node/system-clock.ts";
import type { Clock } from "./ports/clock.ts";

export function openClock(): Clock {
  return new SystemClock();
}
