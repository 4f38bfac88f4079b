/** What a wall clock that was set back, and a time zone that was changed, do to the schedule's memory. Pure. */
import type { ScheduleRules } from "../../protocol/policy/schedule-rules.ts";
import { type Moment, shifted } from "./moment.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { nextSlot, type Slot } from "./slots.ts";
import { spanAt, spansWithin, type TimeSpan, withSpan } from "./time-spans.ts";
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
    ...(lastSlot && { lastSlot: { ...lastSlot, dealtWith: shifted(lastSlot.dealtWith, byMs) } }),
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
  const { seen, seenLocalMs, served } = memory;
  const changeMs = seen.wallMs;
  const forwardMs = localTime(zone, changeMs) - seenLocalMs;
  if (forwardMs === 0) return { memory };
  // What was served of the time to come was so by local time, which now comes at other moments.
  const past = spansWithin(served, [Number.NEGATIVE_INFINITY, changeMs]);
  const ahead = spansWithin(served, [changeMs + 1, Number.POSITIVE_INFINITY], -forwardMs);
  let spans = past;
  for (const span of spansWithin(ahead, [changeMs + 1, Number.POSITIVE_INFINITY]))
    spans = withSpan(spans, span);
  if (forwardMs < 0) spans = withSpan(spans, [changeMs, changeMs - forwardMs]);
  const changed = { ...memory, served: spans };
  const slot =
    forwardMs > 0 ? unservedSlot(rules, zone, [changeMs - forwardMs, changeMs], served) : undefined;
  if (slot === undefined) return { memory: changed };
  return { memory: changed, jumpedOver: { ...slot, atMs: changeMs + 1 } };
}

/** A slot of the local times that were jumped over, unless all had been served before the clock jumped. */
function unservedSlot(
  rules: ScheduleRules,
  zone: string,
  [fromMs, toMs]: TimeSpan,
  served: readonly TimeSpan[],
): Slot | undefined {
  for (let at = fromMs; ; ) {
    const slot = nextSlot(rules, zone, at);
    if (slot === undefined || slot.atMs > toMs) return undefined;
    const span = spanAt(served, slot.atMs + (toMs - fromMs));
    if (span === undefined) return slot;
    at = span[1] - (toMs - fromMs);
  }
}
