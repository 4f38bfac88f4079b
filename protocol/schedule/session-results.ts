/** What the end of a session means for the runs to come: retries, and runs that go on where a rule ended one. Pure. */
import type { ScheduleRules } from "../policy/schedule-rules.ts";
import type { RunCause } from "../session-record.ts";
import { minuteMs } from "./local-time.ts";
import { before, type Moment } from "./moment.ts";
import type { EndedSession } from "./schedule-facts.ts";
import type { DueRun, ScheduleMemory } from "./schedule-memory.ts";
import { momentInWords } from "./schedule-words.ts";

export type PolicyKind = "workstation" | "server";

/** 3 × 30 min, or every 10 min for 23 h. */
const retryDefaults = {
  server: { attempts: 3, interval: 30 * minuteMs },
  workstation: { attempts: 138, interval: 10 * minuteMs },
};

const endersThatContinue: readonly unknown[] = ["window", "limits", "shutdown"];
const scheduledKinds: readonly RunCause["kind"][] = ["schedule", "missed", "retry", "after-policy"];

/** The memory once it knows of a session that ended; unchanged if it knew already. */
export function withSessionEnd(
  memory: ScheduleMemory,
  ended: EndedSession,
  rules: ScheduleRules,
  kind: PolicyKind,
  zone: string,
  now: Moment,
): ScheduleMemory {
  if (ended.id === memory.lastRun?.sessionId) return memory;
  const isGood = ended.outcome === "success" || ended.outcome === "warning";
  const hasFailed = ended.outcome === "failure" || ended.outcome === "interrupted";
  const started = ended.startedMs === undefined ? undefined : momentAgo(ended.startedMs, now);
  const finished = momentAgo(ended.finishedMs ?? now.wallMs, now);
  const failures = isGood ? 0 : (memory.lastRun?.failures ?? 0) + (hasFailed ? 1 : 0);
  const { asked: _arrived, due, retry: _settled, ...rest } = memory;
  const isSatisfied =
    isGood && due !== undefined && started !== undefined && started.wallMs >= due.since.wallMs;
  const goesOn = continuation(ended, now);
  const nextDue = goesOn ?? (isSatisfied ? undefined : due);
  const retry = isGood ? undefined : retryAfter(memory, ended, rules, kind, zone, finished);
  return {
    ...rest,
    lastRun: { sessionId: ended.id, finished, failures, ...(started && { started }) },
    ...(isGood && started && { lastGood: started }),
    ...(nextDue && { due: nextDue }),
    ...(retry && { retry }),
  };
}

/** What goes on as soon as it may: a session that a rule ended, not a person and not a fault. */
function continuation(
  { outcome, endedBy, cause, attempt }: EndedSession,
  now: Moment,
): DueRun | undefined {
  if (outcome !== "canceled" || cause.kind === "manual") return undefined;
  if (!endersThatContinue.includes(endedBy?.by)) return undefined;
  const kind = scheduledKinds.includes(cause.kind) ? "retry" : cause.kind;
  const text = `goes on after ${endedBy?.text ?? "it was ended"}`;
  return { kind, text, attempt, since: now, delayMs: 0 };
}

/** Only scheduled runs are repeated; the failure of another one leaves a retry that waits as it is. */
function retryAfter(
  memory: ScheduleMemory,
  { cause, attempt, outcome }: EndedSession,
  rules: ScheduleRules,
  kind: PolicyKind,
  zone: string,
  finished: Moment,
): DueRun | undefined {
  if (!scheduledKinds.includes(cause.kind)) return memory.retry;
  const { attempts, interval } = rules.retry ?? retryDefaults[kind];
  const hasFailed = outcome === "failure" || outcome === "interrupted";
  // A continuous schedule goes on by itself.
  const isContinuous = rules.timers.some(({ every }) => every === "continuous");
  if (!hasFailed || attempt > attempts || isContinuous) return undefined;
  const failedAt = momentInWords(finished.wallMs, zone, finished.wallMs);
  return {
    kind: "retry",
    text: `retry ${attempt} of ${attempts} after the failure at ${failedAt}`,
    attempt: attempt + 1,
    since: finished,
    delayMs: interval,
  };
}

function momentAgo(wallMs: number, now: Moment): Moment {
  return before(now, Math.max(0, now.wallMs - wallMs));
}
