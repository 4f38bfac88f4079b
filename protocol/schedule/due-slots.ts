/** Which slot has come due since the last look, and what that means for a machine that was on, off or asleep. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import { hourMs, minuteMs } from "./local-time.ts";
import { elapsedMs, type Moment } from "./moment.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { momentInWords, timerInWords } from "./schedule-words.ts";
import { lastSlot, nextSlot, permittedFrom, type Slot } from "./slots.ts";
import { spanAt, type TimeSpan, withSpan } from "./time-spans.ts";

/** So late at least a slot may be looked at on a machine that is awake and busy. */
const latenessMsMin = minuteMs;

/** The newest slot after `afterMs` and not after `untilMs` that no span holds. */
export function unservedSlotBetween(
  rules: ScheduleRules,
  zone: string,
  afterMs: number,
  untilMs: number,
  served: readonly TimeSpan[],
): Slot | undefined {
  for (let until = untilMs; until > afterMs; ) {
    const slot = lastSlot(rules, zone, afterMs, until);
    if (slot === undefined) return undefined;
    const span = spanAt(served, slot.atMs);
    if (span === undefined) return slot;
    until = span[0] - 1;
  }
  return undefined;
}

/** The first slot after a moment that no span holds. */
export function nextUnservedSlot(
  rules: ScheduleRules,
  zone: string,
  afterMs: number,
  served: readonly TimeSpan[],
): Slot | undefined {
  for (let after = afterMs; ; ) {
    const slot = nextSlot(rules, zone, after);
    if (slot === undefined) return undefined;
    const span = spanAt(served, slot.atMs);
    if (span === undefined) return slot;
    after = span[1];
  }
}

/** No two zones are further apart than this: local times further ahead were shown by a clock that was wrong. */
const zonesApartMsMax = 27 * hourMs;

/** The spans of time in which slots are served: by the wall clock, and by local times that come again in another zone. */
export function servedSpans(memory: ScheduleMemory): readonly TimeSpan[] {
  const { served, seen, seenLocalMs, servedLocalMs = seenLocalMs } = memory;
  const repeatedMs = servedLocalMs - seenLocalMs;
  return repeatedMs > 0 && repeatedMs <= zonesApartMsMax
    ? withSpan(served, [seen.wallMs, seen.wallMs + repeatedMs])
    : served;
}

/** How late a slot may be looked at and still count as on time. */
export function toleranceMs({ missed }: ScheduleRules): number {
  return Math.max(missed.tolerance, latenessMsMin);
}

/** The run that a slot asks for now; undefined if it was missed and missed slots are skipped. */
export function runOfSlot(
  slot: Slot,
  rules: ScheduleRules,
  zone: string,
  now: Moment,
  chance: number,
): DueRun | undefined {
  const run = { attempt: 1, since: now, slotMs: slot.atMs };
  const text = timerInWords(slot.timer);
  if (now.wallMs - slot.atMs <= toleranceMs(rules))
    return { ...run, kind: "schedule", text, delayMs: 0 };
  if (rules.missed.action === "skip") return undefined;
  return {
    ...run,
    kind: "missed",
    text: `${text}, missed at ${momentInWords(slot.atMs, zone, now.wallMs)}`,
    delayMs: Math.floor(chance * rules.missed.randomDelay),
  };
}

/** The memory after a look at `now`: slots up to then, as far as the machine was awake for them, are served. */
export function withLook(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  now: Moment,
  localMs: number,
): ScheduleMemory {
  const sinceMs = now.wallMs - memory.seen.wallMs;
  const wasAwake = sinceMs >= 0 && sinceMs <= toleranceMs(rules);
  const served = withSpan(memory.served, [now.wallMs - (wasAwake ? sinceMs : 0), now.wallMs]);
  const { servedLocalMs, ...rest } = memory;
  const isAhead = servedLocalMs !== undefined && servedLocalMs > localMs;
  return { ...rest, ...(isAhead && { servedLocalMs }), served, seen: now, seenLocalMs: localMs };
}

/**
 * When runs go on by elapsed time, because the clock comes again to hours or slots that were served before: as long
 * after the newest slot as its next one is. Undefined if a slot comes before that.
 */
export function repeatedHoursRun(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  now: Moment,
): { readonly atMs: number; readonly slot: Slot } | undefined {
  const newest = memory.lastSlot;
  const spans = servedSpans(memory);
  if (spans.every(([, toMs]) => toMs <= now.wallMs)) return undefined;
  const slot = nextSlot(rules, zone, newest.atMs);
  if (slot === undefined) return undefined;
  const leftMs = slot.atMs - newest.atMs - elapsedMs(newest.dealtWith, now);
  const atMs = permittedFrom(slot.timer, rules, zone, now.wallMs + Math.max(0, leftMs));
  if (atMs === undefined) return undefined;
  const isRepeated = atMs < (spanAt(spans, atMs)?.[1] ?? atMs);
  const next = nextSlot(rules, zone, atMs);
  const isNextServed = next !== undefined && spanAt(spans, next.atMs) !== undefined;
  return isRepeated || isNextServed ? { atMs, slot } : undefined;
}
