/** What a wall clock that was set back, and a time zone that was changed, do to the schedule's memory. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import { type Moment, shifted } from "./moment.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { nextSlot, type Slot } from "./slots.ts";
import { spanAt } from "./time-spans.ts";
import { localTime } from "./zone-offsets.ts";

/**
 * Moves every moment of the memory along if the clock was set back since the last look, so that what has passed
 * since them stays what it is. Which slots were served is not touched: the same hours are not served twice.
 */
export function withClockSetBack(memory: ScheduleMemory, now: Moment): ScheduleMemory {
  const { seen, lastSlot, lastRun, lastGood, due, retry, asked } = memory;
  if (now.wallMs >= seen.wallMs) return memory;
  const passedMs = seen.clockId === now.clockId ? now.monotonicMs - seen.monotonicMs : 0;
  const byMs = now.wallMs - (seen.wallMs + passedMs);
  const run = (one: DueRun): DueRun => ({ ...one, since: shifted(one.since, byMs) });
  return {
    ...memory,
    lastSlot: { ...lastSlot, dealtWith: shifted(lastSlot.dealtWith, byMs) },
    ...(lastRun && {
      lastRun: {
        ...lastRun,
        finished: shifted(lastRun.finished, byMs),
        ...(lastRun.started && { started: shifted(lastRun.started, byMs) }),
      },
    }),
    ...(lastGood && { lastGood: shifted(lastGood, byMs) }),
    ...(due && { due: run(due) }),
    ...(retry && { retry: run(retry) }),
    ...(asked && { asked: run(asked) }),
  };
}

/**
 * A change of the zone is like the change of the clocks in spring or autumn, at the moment of the last look: local
 * times that come again were served already; if a slot lies in those that were jumped over, it is due right after.
 */
export function withZoneChange(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
): { readonly memory: ScheduleMemory; readonly jumpedOver?: Slot } {
  const { seen, seenLocalMs, served, servedLocalMs = seenLocalMs, lastSlot } = memory;
  const forwardMs = localTime(zone, seen.wallMs) - seenLocalMs;
  if (forwardMs === 0) return { memory };
  // Hours that come again since the clock was set back were served up to their end.
  const servedAheadMs = (spanAt(served, seen.wallMs + 1)?.[1] ?? seen.wallMs) - seen.wallMs;
  const changed = {
    ...memory,
    seenLocalMs: seenLocalMs + forwardMs,
    servedLocalMs: Math.max(servedLocalMs, seenLocalMs + servedAheadMs),
    lastSlot: { ...lastSlot, atMs: lastSlot.atMs - forwardMs },
  };
  // Shown by the new zone, the hours jumped over end now, and begin after all that was ever shown.
  const jumpedMs = changed.seenLocalMs - changed.servedLocalMs;
  const slot = nextSlot(rules, zone, seen.wallMs - jumpedMs);
  if (jumpedMs <= 0 || slot === undefined || slot.atMs > seen.wallMs) return { memory: changed };
  // Right after, and at no moment that stands for another slot.
  return { memory: changed, jumpedOver: { ...slot, atMs: seen.wallMs + servedAheadMs + 1 } };
}
