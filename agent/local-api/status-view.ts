/** The status as one reader may see it. Pure. */
import type { Health } from "../../protocol/local-api/health.ts";
import { overallHealth } from "../../protocol/local-api/overall-health.ts";
import type {
  AgentStatus,
  PolicyStatus,
  StatusFacts,
  StatusReport,
} from "../../protocol/local-api/status.ts";
import { localApiVersion } from "../../protocol/local-api/version.ts";
import type {
  QueuedSession,
  RunningSession,
  SessionFailure,
  SessionRecord,
} from "../../protocol/session-record.ts";

const onlyForAdministrators = "(only an administrator sees this)";

/** The facts with health; without anything that may name a place or a file for who may not control the daemon. */
export function statusView(facts: StatusFacts, mayControl: boolean): StatusReport {
  const { conditions: _, ...rest } = facts;
  const report: StatusReport = {
    api: localApiVersion,
    view: mayControl ? "full" : "limited",
    ...rest,
    health: overallHealth(facts),
  };
  return mayControl ? report : limited(report);
}

function limited(report: StatusReport): StatusReport {
  return {
    ...report,
    agent: limitedAgent(report.agent),
    health: limitedHealth(report.health),
    policies: report.policies.map(limitedPolicy),
    running: report.running.map(limitedRunning),
    waiting: report.waiting.map(limitedWaiting),
    pauses: report.pauses.map((pause) => ({ ...pause, reason: plainText(pause.reason) })),
  };
}

function limitedAgent({ server, ...agent }: AgentStatus): AgentStatus {
  if (server === undefined) return agent;
  const { problem, ...rest } = server;
  return {
    ...agent,
    server: {
      ...rest,
      urls: [],
      ...(problem !== undefined && { problem: plainText(problem) }),
    },
  };
}

function limitedHealth({ level, reasons }: Health): Health {
  return {
    level,
    reasons: reasons.map((reason) => ({
      ...reason,
      text: plainText(reason.text),
      remedy: plainText(reason.remedy),
    })),
  };
}

function limitedPolicy(policy: PolicyStatus): PolicyStatus {
  const { lastGood, lastEnded, next, destination } = policy;
  return {
    name: policy.name,
    kind: policy.kind,
    enabled: policy.enabled,
    maximumAgeMs: policy.maximumAgeMs,
    appliedMs: policy.appliedMs,
    ...(lastGood === undefined ? {} : { lastGood: limitedSession(lastGood) }),
    ...(lastEnded === undefined ? {} : { lastEnded: limitedSession(lastEnded) }),
    failuresSinceGood: policy.failuresSinceGood,
    next: { ...next, reason: plainText(next.reason) },
    destination: { ...destination, place: "" },
  };
}

function limitedRunning({ session, progress, remainingMs }: RunningSession): RunningSession {
  return {
    session: limitedSession(session),
    ...(progress === undefined ? {} : { progress: { ...progress, currentFiles: [] } }),
    ...(remainingMs === undefined ? {} : { remainingMs }),
  };
}

function limitedWaiting({ session, hold }: QueuedSession): QueuedSession {
  return {
    session: limitedSession(session),
    ...(hold === undefined ? {} : { hold: { ...hold, text: plainText(hold.text) } }),
  };
}

/** Field by field: what a session gets to know later is not shown here by itself. */
function limitedSession(session: SessionRecord): SessionRecord {
  const { startedMs, finishedMs, outcome, exitCode, failure, figures } = session;
  return {
    id: session.id,
    policy: session.policy,
    kind: session.kind,
    cause: { kind: session.cause.kind, text: plainText(session.cause.text) },
    attempt: session.attempt,
    priority: session.priority,
    repository: "",
    state: session.state,
    queuedMs: session.queuedMs,
    ...(startedMs === undefined ? {} : { startedMs }),
    ...(finishedMs === undefined ? {} : { finishedMs }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(failure === undefined ? {} : { failure: limitedFailure(failure) }),
    ...(figures === undefined ? {} : { figures }),
    issues: session.issues,
    scripts: [],
  };
}

function limitedFailure({ code, kind, message, remedy }: SessionFailure): SessionFailure {
  return { code, kind, message: plainText(message), remedy: plainText(remedy) };
}

/** A text as it is if it can't hold a path or an address, of any system; otherwise nothing of it. */
function plainText(text: string): string {
  return /[/\\]/.test(text) ? onlyForAdministrators : text;
}
