/** When a policy runs next as far as that is known, and why then. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import { windowState } from "./backup-window.ts";
import { continuousWaitMs } from "./due-runs.ts";
import { nextUnservedSlot, repeatedHoursRun, servedSpans } from "./due-slots.ts";
import { elapsedMs, type Moment } from "./moment.ts";
import type { ScheduleFacts } from "./schedule-facts.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { eventInWords, timerInWords } from "./schedule-words.ts";

export interface NextRun {
  /** Ms since 1970; absent if no time can be named. */
  readonly atMs?: number;
  /** For people: `every day at 22:30`, `when a screen is locked`. */
  readonly reason: string;
}

/** The next run after a look, whose memory this is: not the one that it decided, or that goes on. */
export function nextRun(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  { now, session }: ScheduleFacts,
): NextRun {
  const found = [nextBySlot(memory, rules, zone, now)];
  if (session === undefined && memory.asked === undefined) {
    const { due, retry } = memory;
    found.push(waitingRun(due, rules, zone, now), waitingRun(retry, rules, zone, now));
    const continuousMs = continuousWaitMs(memory, rules, now);
    if (continuousMs !== undefined)
      found.push(inWindow(now.wallMs + continuousMs, "continuously", rules, zone));
  }
  const timed = found.filter((run) => run?.atMs !== undefined);
  const first = timed.reduce<NextRun | undefined>(
    (best, run) => ((run?.atMs ?? 0) < (best?.atMs ?? Number.POSITIVE_INFINITY) ? run : best),
    undefined,
  );
  return first ?? { reason: withoutTime(rules) };
}

/** When to wake the machine: for slots only, since retries may be many. */
export function nextWakeMs(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  now: Moment,
): number | undefined {
  return rules.wake
    ? nextUnservedSlot(rules, zone, now.wallMs, servedSpans(memory))?.atMs
    : undefined;
}

function nextBySlot(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  now: Moment,
): NextRun | undefined {
  const next = nextUnservedSlot(rules, zone, now.wallMs, servedSpans(memory));
  const repeated = repeatedHoursRun(memory, rules, zone, now);
  const slot =
    repeated !== undefined && (next === undefined || repeated.atMs < next.atMs)
      ? { atMs: repeated.atMs, timer: repeated.slot.timer }
      : next;
  return slot === undefined ? undefined : { atMs: slot.atMs, reason: timerInWords(slot.timer) };
}

function waitingRun(
  run: DueRun | undefined,
  rules: ScheduleRules,
  zone: string,
  now: Moment,
): NextRun | undefined {
  if (run === undefined) return undefined;
  const leftMs = Math.max(0, run.delayMs - elapsedMs(run.since, now));
  return inWindow(now.wallMs + leftMs, run.text, rules, zone);
}

/** A run at that time, or when the backup window opens after it. */
function inWindow(atMs: number, reason: string, rules: ScheduleRules, zone: string): NextRun {
  const { isOpen, changesMs } = windowState(rules.window, zone, atMs);
  if (isOpen) return { atMs, reason };
  return {
    ...(changesMs !== undefined && { atMs: changesMs }),
    reason: `${reason}; waits for the backup window`,
  };
}

function withoutTime({ timers, events }: ScheduleRules): string {
  const after = timers.filter(({ every }) => every === "after-policy").map(timerInWords);
  const reasons = [...after, ...events.map(eventInWords)];
  return reasons.length === 0 ? "only by hand" : reasons.join(", or ");
}
