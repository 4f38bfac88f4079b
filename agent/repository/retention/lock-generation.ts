/**
 * Generations of locks: ten days of the calendar each. What is stored or still needed within one is locked to the same
 * moment, as many days after its end as restore points are to be locked: so what new restore points share with older ones
 * is extended once in ten days, and not by each of them. Pure.
 */
import type { Immutability } from "../../../protocol/immutability.ts";

const dayMs = 86_400_000;
const generationDays = 10;

export interface LockGeneration extends Immutability {
  /** Of ten days each, since 1970. */
  readonly number: number;
}

/** The generation of a backup that begins at `startMs`. */
export function generationAt(startMs: number, { mode, days }: Immutability): LockGeneration {
  return { number: Math.floor(startMs / (generationDays * dayMs)), mode, days };
}

/** The moment to which everything of a generation is locked, ms since 1970. */
export function endOfLocks({ number, days }: LockGeneration): number {
  return ((number + 1) * generationDays + days) * dayMs;
}

/** How a store locks what it saves, so that it is locked to the end of its generation, whenever in it it is saved. */
export function ruleOfObjects({ mode, days }: Immutability): Immutability {
  return { mode, days: days + generationDays };
}
