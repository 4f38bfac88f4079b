/**
 * Ids of commands: UUIDs of version 7 that rise with each one made in this process, also within a millisecond, so that
 * a command and the one that stops it are read in the order in which they were made.
 */
import { randomUUIDv7 } from "node:crypto";

/** Of the 12 bits after the version, which count what is made within one millisecond. */
const counterMax = 0xf_ff;
let newest = { timeMs: 0, counter: 0 };

/** An id that is greater than all before. */
export function risingCommandId(nowMs: number = Date.now()): string {
  const { timeMs, counter } = newest;
  if (nowMs > timeMs) newest = { timeMs: nowMs, counter: 0 };
  else if (counter < counterMax) newest = { timeMs, counter: counter + 1 };
  else newest = { timeMs: timeMs + 1, counter: 0 };
  const time = newest.timeMs.toString(16).padStart(12, "0");
  const count = newest.counter.toString(16).padStart(3, "0");
  // What is left of the random one: the variant and 62 random bits.
  const rest = randomUUIDv7().slice(19);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${rest}`;
}
