/**
 * The planner: whether a policy runs now, and why; and if not, when it will. A pure function of the policy's rules, of
 * what it remembered from the last look, and of the facts.
 */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import type { RunCause } from "../session-record.ts";
import { windowState } from "./backup-window.ts";
import { withClockSetBack, withZoneChange } from "./clock-changes.ts";
import { continuousRun, eventRun, followingRun } from "./due-runs.ts";
import {
  repeatedHoursRun,
  runOfSlot,
  servedSpans,
  unservedSlotBetween,
  withLook,
} from "./due-slots.ts";
import { hourMs } from "./local-time.ts";
import { before, elapsedMs } from "./moment.ts";
import { type NextRun, nextRun, nextWakeMs } from "./next-run.ts";
import type { ScheduleFacts } from "./schedule-facts.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { momentInWords, timerInWords } from "./schedule-words.ts";
import { type PolicyKind, withSessionEnd } from "./session-results.ts";
import type { Slot } from "./slots.ts";
import { withSpan } from "./time-spans.ts";
import { localTime } from "./zone-offsets.ts";

/** What to do now. */
export type Decision =
  /** Ask for this run, once the memory is stored. */
  | { readonly kind: "run"; readonly cause: RunCause; readonly attempt: number }
  /** End the session that runs: the backup window has closed. */
  | { readonly kind: "stop"; readonly text: string }
  /** Look again at `next.atMs`, or when one of the facts changes. */
  | { readonly kind: "wait" };

export interface Plan {
  readonly decision: Decision;
  /** The run after the one that is asked for now, or that goes on. */
  readonly next: NextRun;
  /** When the machine should be woken; absent if it should not. */
  readonly wakeMs?: number;
  /** For the next look. Absent only while the clock is not set. */
  readonly memory?: ScheduleMemory;
  /** False if nothing that matters after a restart has changed since the memory that was given. */
  readonly isMemoryChanged: boolean;
  /** What was due and is not going to run, for the log. */
  readonly leftOut: readonly string[];
}

/** A clock that shows less was never set: the machine has no battery for it, or just started. 2025-01-01. */
export const clockMinMs = Date.UTC(2025, 0, 1);

/**
 * Plans the runs of one policy. A run that is decided stays remembered as asked for, and is decided again if the
 * next look finds neither a session nor the end of one: store the memory, then ask for the run.
 * Throws CronSyntaxError and RangeError (no such time zone) for rules that schedule-problems.ts would have refused.
 */
export function planRuns(
  rules: ScheduleRules,
  kind: PolicyKind,
  remembered: ScheduleMemory | undefined,
  facts: ScheduleFacts,
): Plan {
  const { now, session } = facts;
  const zone = rules.timeZone ?? facts.zone;
  const leftOut: string[] = [];
  if (now.wallMs < clockMinMs)
    return {
      decision: { kind: "wait" },
      next: {
        reason: `the clock shows ${new Date(now.wallMs).toISOString().slice(0, 10)}: it is not set yet`,
      },
      ...(remembered && { memory: remembered }),
      isMemoryChanged: false,
      leftOut,
    };
  let memory = remembered ?? newMemory(facts, zone);
  const zoneChange = withZoneChange(memory, rules, zone);
  memory = withClockSetBack(zoneChange.memory, now);
  if (facts.lastEnded !== undefined)
    memory = withSessionEnd(memory, facts.lastEnded, rules, kind, zone, now);
  memory = withLostRequest(memory, session !== undefined);
  memory = withDueSlot(memory, rules, zone, facts, zoneChange.jumpedOver, leftOut);
  memory = withOtherRuns(memory, rules, facts, leftOut);
  memory = withLook(memory, rules, now, localTime(zone, now.wallMs));
  const { decision, after } = decide(memory, rules, zone, facts);
  const wakeMs = nextWakeMs(after, rules, zone, now);
  return {
    decision,
    next: nextRun(after, rules, zone, facts),
    ...(wakeMs !== undefined && { wakeMs }),
    memory: after,
    isMemoryChanged: remembered === undefined || essence(after) !== essence(remembered),
    leftOut,
  };
}

/** A policy that never ran begins now; one of which only the last session is known goes on from there. */
function newMemory({ now, lastEnded }: ScheduleFacts, zone: string): ScheduleMemory {
  const wallMs = Math.min(now.wallMs, lastEnded?.startedMs ?? now.wallMs);
  const seen = before(now, now.wallMs - wallMs);
  return {
    version: 1,
    seen,
    seenLocalMs: localTime(zone, wallMs),
    served: [[wallMs, wallMs]],
    lastSlot: { atMs: wallMs, dealtWith: seen },
  };
}

/** A run that was asked for and of which nothing was ever seen is due again: the daemon died in between. */
function withLostRequest(memory: ScheduleMemory, hasSession: boolean): ScheduleMemory {
  const { asked, due, ...rest } = memory;
  const again = due ?? (hasSession ? undefined : asked);
  return { ...rest, ...(again && { due: again }) };
}

function withDueSlot(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  { now, chance, session }: ScheduleFacts,
  jumpedOver: Slot | undefined,
  leftOut: string[],
): ScheduleMemory {
  const { seen } = memory;
  const slot =
    unservedSlotBetween(rules, zone, seen.wallMs, now.wallMs, servedSpans(memory)) ?? jumpedOver;
  if (slot === undefined) {
    const goesOn = repeatedHoursRun(memory, rules, zone, now);
    if (goesOn === undefined || goesOn.atMs > now.wallMs) return memory;
    const text = `${timerInWords(goesOn.slot.timer)}; by elapsed time, as these hours come again`;
    const due: DueRun = { kind: "schedule", text, attempt: 1, since: now, delayMs: 0 };
    // The next one comes as long after this one as its slot does, however short the way to this one was.
    const known = { ...memory, lastSlot: { atMs: goesOn.slot.atMs, dealtWith: now } };
    return session === undefined && memory.due === undefined ? { ...known, due } : known;
  }
  const known = {
    ...memory,
    served: withSpan(memory.served, [slot.atMs, slot.atMs]),
    lastSlot: { atMs: slot.atMs, dealtWith: now },
  };
  const what = `${timerInWords(slot.timer)} (${momentInWords(slot.atMs, zone, now.wallMs)})`;
  if (session !== undefined) {
    leftOut.push(`${what}: a run was still going on`);
    return known;
  }
  const due = runOfSlot(slot, rules, zone, now, chance);
  if (due === undefined) {
    leftOut.push(`${what}: missed, and missed runs are skipped`);
    return known;
  }
  // One run makes up for all that was missed, and starts when the first of them would have.
  const { retry: _replaced, ...rest } = known;
  const isSameDelay = due.kind === "missed" && memory.due?.kind === "missed";
  return { ...rest, due: isSameDelay ? { ...due, ...delayOf(memory.due) } : due };
}

function delayOf(due: DueRun | undefined): Partial<Pick<DueRun, "since" | "delayMs">> {
  return due === undefined ? {} : { since: due.since, delayMs: due.delayMs };
}

/** What becomes due besides slots: retries, continuous runs, runs after other policies, events. */
function withOtherRuns(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  facts: ScheduleFacts,
  leftOut: string[],
): ScheduleMemory {
  const event = eventRun(memory, rules, facts, leftOut);
  if (facts.session !== undefined || memory.due !== undefined) return memory;
  const { retry, ...rest } = memory;
  if (retry !== undefined && elapsedMs(retry.since, facts.now) >= retry.delayMs)
    return { ...rest, due: { ...retry, since: facts.now, delayMs: 0 } };
  const due = continuousRun(memory, rules, facts.now) ?? followingRun(rules, facts) ?? event;
  return due === undefined ? memory : { ...memory, due };
}

function decide(
  memory: ScheduleMemory,
  rules: ScheduleRules,
  zone: string,
  { now, session }: ScheduleFacts,
): { readonly decision: Decision; readonly after: ScheduleMemory } {
  const { due, ...rest } = memory;
  const isOpen = windowState(rules.window, zone, now.wallMs).isOpen;
  if (session !== undefined) {
    const isOver = session.hasStarted && !session.isManual && !isOpen;
    const text = "the backup window closed";
    return { decision: isOver ? { kind: "stop", text } : { kind: "wait" }, after: memory };
  }
  if (due === undefined || !isOpen || elapsedMs(due.since, now) < due.delayMs)
    return { decision: { kind: "wait" }, after: memory };
  const { kind, text, slotMs, attempt } = due;
  const cause = { kind, text, ...(slotMs !== undefined && { slotMs }) };
  return { decision: { kind: "run", cause, attempt }, after: { ...rest, asked: due } };
}

/** What of a memory has to outlast a restart, and where the last look was to the hour. */
function essence({ seen, seenLocalMs: _local, served, ...rest }: ScheduleMemory): string {
  const hour = Math.floor(seen.wallMs / hourMs);
  return JSON.stringify([rest, hour, served.map(([fromMs]) => fromMs)]);
}
