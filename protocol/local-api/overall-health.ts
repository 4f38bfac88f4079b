/** Decides how healthy an agent is: the one place where that is done. Pure. */
import type { Health, HealthReason } from "./health.ts";
import type { PolicyStatus, StatusFacts } from "./status.ts";

const severitiesInOrder = ["error", "warning", "info"] as const;

/**
 * Health from the facts: conditions as they are, and for each policy what its sessions say. A condition that
 * the caller has already under the same code and subject is not added a second time.
 */
export function overallHealth(facts: StatusFacts): Health {
  const known = new Set(facts.conditions.map(reasonKey));
  const derived = facts.policies
    .map((policy) => policyReason(policy, facts.timeMs))
    .filter((reason) => reason !== undefined)
    .filter((reason) => !known.has(reasonKey(reason)));
  const all = [...facts.conditions, ...derived];
  const reasons = severitiesInOrder.flatMap((wanted) =>
    all.filter(({ severity }) => severity === wanted),
  );
  const worst = reasons.find(({ acknowledgedMs }) => acknowledgedMs === undefined)?.severity;
  return { level: worst === undefined || worst === "info" ? "ok" : worst, reasons };
}

/** What is wrong with a policy's backups at `nowMs`; undefined if nothing is. */
export function policyReason(policy: PolicyStatus, nowMs: number): HealthReason | undefined {
  if (!policy.enabled) return undefined;
  const { name, lastEnded } = policy;
  const remedy = lastEnded?.failure?.remedy ?? `See \`backstay sessions --policy ${name}\`.`;
  const sinceMs = lastEnded?.finishedMs ?? nowMs;
  if (isOverdue(policy, nowMs))
    return {
      code: "BACKUP_TOO_OLD",
      severity: "error",
      subject: name,
      sinceMs: dataTimeMs(policy) + policy.maximumAgeMs,
      text:
        policy.lastGood === undefined
          ? `Policy ${name} has no good backup yet, and should have one by now.`
          : `The last good backup of policy ${name} is older than it may be.`,
      remedy,
    };
  if (policy.failuresSinceGood > 0)
    return {
      code: "BACKUP_FAILED",
      severity: "warning",
      subject: name,
      sinceMs,
      text: `The last backup of policy ${name} failed.`,
      remedy,
    };
  if (lastEnded?.outcome === "warning")
    return {
      code: "BACKUP_INCOMPLETE",
      severity: "warning",
      subject: name,
      sinceMs,
      text: `The last backup of policy ${name} is not complete.`,
      remedy: `See \`backstay session ${lastEnded.id}\`.`,
    };
  return undefined;
}

/** True if the last good backup is older than it may be; one that was never made counts from when the policy came. */
export function isOverdue(policy: PolicyStatus, nowMs: number): boolean {
  return policy.enabled && nowMs - dataTimeMs(policy) > policy.maximumAgeMs;
}

/** A backup's data is as old as its start. */
function dataTimeMs({ lastGood, appliedMs }: PolicyStatus): number {
  return lastGood === undefined ? appliedMs : (lastGood.startedMs ?? lastGood.queuedMs);
}

function reasonKey({ code, subject }: HealthReason): string {
  return `${code} ${subject}`;
}
