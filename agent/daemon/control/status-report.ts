/** The status of this machine as its server gets it. Pure. */

import { repositoryScheme } from "../../../protocol/control/bundle.ts";
import type { MachineFacts } from "../../../protocol/control/enrolment.ts";
import type { AgentStatus } from "../../../protocol/control/reports.ts";
import { overallHealth } from "../../../protocol/local-api/overall-health.ts";
import type { PolicyStatus, StatusFacts } from "../../../protocol/local-api/status.ts";
import type { Destination, ServerPolicy } from "../../control/bundle-in-force.ts";
import type { PolicyInForce } from "../policy-book.ts";

export interface StatusReportParts {
  readonly status: StatusFacts;
  readonly inForce: ReadonlyMap<string, PolicyInForce>;
  readonly bundle: AgentStatus["bundle"];
  /** Of the bundle in force. */
  readonly destinations: Iterable<Pick<Destination, "repositoryId" | "epoch" | "stand">>;
  readonly facts: MachineFacts;
  readonly fingerprint: Readonly<Record<string, string>>;
  /** Server's clock minus this machine's, ms. */
  readonly clockOffsetMs: number;
}

const listMax = 200;
const textMax = 4000;

export function statusReport(parts: StatusReportParts): AgentStatus {
  const { status, inForce, clockOffsetMs } = parts;
  const { level, reasons } = overallHealth(status);
  const pausedUntil = status.pauses.find(({ policy }) => policy === undefined);
  return {
    version: 1,
    timeMs: status.timeMs + clockOffsetMs,
    bundle: parts.bundle,
    health: level,
    conditions: reasons.slice(0, listMax).map(({ code, subject, severity, sinceMs, text }) => ({
      code,
      subject: subject.slice(0, 200),
      severity,
      sinceMs,
      text: text.slice(0, textMax),
    })),
    policies: status.policies
      .slice(0, listMax)
      .map((policy) => policyState(policy, status, inForce.get(policy.name)?.server)),
    destinations: [...parts.destinations].map((each) => obeyed(each, status)),
    ...(pausedUntil?.untilMs !== undefined && { pausedUntilMs: pausedUntil.untilMs }),
    clockOffsetMs,
    facts: parts.facts,
    fingerprint: { ...parts.fingerprint },
  };
}

/** What runs goes by what it began with: a replaced route is needed until that has ended. */
function obeyed(
  { repositoryId, epoch, stand }: Pick<Destination, "repositoryId" | "epoch" | "stand">,
  { running }: StatusFacts,
): NonNullable<AgentStatus["destinations"]>[number] {
  const there = running.filter(
    ({ session }) => session.repository === `${repositoryScheme}${repositoryId}`,
  );
  const epochs = there.map(({ session }) => session.destinationEpoch ?? epoch);
  return {
    repositoryId,
    epoch: Math.min(epoch, ...epochs),
    ...(stand !== undefined && { standNumber: stand.number }),
    isBusy: there.length > 0,
  };
}

function policyState(
  policy: PolicyStatus,
  { running }: StatusFacts,
  server: ServerPolicy | undefined,
): AgentStatus["policies"][number] {
  const { lastGood, lastEnded, next, destination } = policy;
  const now = running.find(
    ({ session }) => session.policy === policy.name && session.kind === "backup",
  );
  return {
    policy: policy.name,
    ...(server !== undefined && { policyVersion: server.policyVersion }),
    origin: server === undefined ? "local" : "server",
    enabled: policy.enabled,
    ...(lastGood !== undefined && { lastGoodMs: lastGood.startedMs ?? lastGood.queuedMs }),
    ...(lastEnded?.outcome !== undefined && { lastOutcome: lastEnded.outcome }),
    ...(lastEnded?.finishedMs !== undefined && { lastEndedMs: lastEnded.finishedMs }),
    ...(next.atMs !== undefined && { nextMs: next.atMs }),
    maximumAgeMs: policy.maximumAgeMs,
    route: destination.route,
    ...(now !== undefined && { running: progressOf(now) }),
  };
}

function progressOf({
  session,
  progress,
  remainingMs,
}: StatusFacts["running"][number]): NonNullable<AgentStatus["policies"][number]["running"]> {
  const { filesDone = 0, bytesDone = 0, filesTotal, bytesTotal } = progress ?? {};
  return {
    sessionId: session.id,
    filesDone,
    bytesDone,
    ...(filesTotal !== undefined && { filesTotal }),
    ...(bytesTotal !== undefined && { bytesTotal }),
    ...(remainingMs !== undefined && { remainingMs }),
  };
}
