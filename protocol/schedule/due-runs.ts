/** Runs that no slot asks for: continuous ones, those after another policy, and those of events. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import { hourMs, minuteMs } from "./local-time.ts";
import { elapsedMs, type Moment } from "./moment.ts";
import type { ScheduleFacts } from "./schedule-facts.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { durationInWords, timerInWords } from "./schedule-words.ts";

/** From the start of a continuous run to that of the next, at least; and after a failure the first wait. */
const continuousDistanceMsMin = minuteMs;
/** After failures a continuous schedule waits longer each time, up to this. */
const continuousDistanceMsMax = hourMs;
/** A run that failed made no backup: so soon after it an event may start the next, however rare they should be. */
const distanceFromFailureMsMax = 10 * minuteMs;

/** How long from now until a continuous schedule starts its next run; undefined for other schedules. */
export function continuousWaitMs(
  { lastRun }: ScheduleMemory,
  { timers }: ScheduleRules,
  now: Moment,
): number | undefined {
  const timer = timers.find(({ every }) => every === "continuous");
  if (timer?.every !== "continuous") return undefined;
  if (lastRun === undefined) return 0;
  const { started, finished, failures } = lastRun;
  const failureMs =
    failures === 0
      ? 0
      : Math.min(continuousDistanceMsMin * 2 ** (failures - 1), continuousDistanceMsMax);
  const afterEndMs = Math.max(timer.pause ?? 0, failureMs) - elapsedMs(finished, now);
  const afterStartMs = continuousDistanceMsMin - elapsedMs(started ?? finished, now);
  return Math.max(0, afterEndMs, afterStartMs);
}

export function continuousRun(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  now: Moment,
): DueRun | undefined {
  if (continuousWaitMs(memory, rules, now) !== 0) return undefined;
  return { kind: "schedule", text: "continuously", attempt: 1, since: now, delayMs: 0 };
}

/** The run after another policy's, if that has ended. */
export function followingRun(
  { timers }: ScheduleRules,
  { finishedPolicies, now }: ScheduleFacts,
): DueRun | undefined {
  const timer = timers.find(
    (each) => each.every === "after-policy" && finishedPolicies.includes(each.policy),
  );
  if (timer === undefined) return undefined;
  return { kind: "after-policy", text: timerInWords(timer), attempt: 1, since: now, delayMs: 0 };
}

/** The run that an event asks for; those that come too often, or while a run goes on, are left out. */
export function eventRun(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  { events, session, now }: ScheduleFacts,
  leftOut: string[],
): DueRun | undefined {
  const event = events.find(({ kind }) => rules.events.includes(kind));
  if (event === undefined) return undefined;
  if (session !== undefined) {
    leftOut.push(`${event.text}: a run was still going on`);
    return undefined;
  }
  const waitMs = eventWaitMs(memory, rules, now);
  if (waitMs > 0) {
    leftOut.push(
      `${event.text}: no more often than allowed, not for another ${durationInWords(waitMs)}`,
    );
    return undefined;
  }
  return { kind: "event", text: event.text, attempt: 1, since: now, delayMs: 0 };
}

/** How long events are still left out after the last run of whatever cause, ms. */
export function eventWaitMs(
  { lastRun, lastGood }: ScheduleMemory,
  { noMoreOftenThan = 0 }: ScheduleRules,
  now: Moment,
): number {
  const afterGoodMs = lastGood === undefined ? 0 : noMoreOftenThan - elapsedMs(lastGood, now);
  const afterAnyMs =
    lastRun?.started === undefined
      ? 0
      : Math.min(noMoreOftenThan, distanceFromFailureMsMax) - elapsedMs(lastRun.started, now);
  return Math.max(0, afterGoodMs, afterAnyMs);
}
