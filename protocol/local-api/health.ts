/** Whether an agent does its work, in one word and with every reason. The one place where that is decided. Pure. */
import type { PolicyStatus, StatusFacts } from "./status.ts";

export type HealthLevel = "ok" | "warning" | "error";

/** Something that is not as it should be. */
export interface HealthReason {
  /** Never renamed: `backup-overdue`, `backup-failed`, … */
  readonly code: string;
  readonly level: Exclude<HealthLevel, "ok">;
  /** One sentence for people. */
  readonly text: string;
  /** What to do now. */
  readonly remedy: string;
  /** The policy that it is about, if it is about one. */
  readonly policy?: string;
  /** Ms since 1970. */
  readonly sinceMs?: number;
}

export interface Health {
  /** That of the worst reason. */
  readonly level: HealthLevel;
  /** Errors first. */
  readonly reasons: readonly HealthReason[];
}

/**
 * Health from the facts: conditions as they are, and for each policy what its sessions say. A condition that
 * the caller already has under the same code and policy is not added a second time.
 */
export function overallHealth(facts: StatusFacts): Health {
  const known = new Set(facts.conditions.map(reasonKey));
  const derived = facts.policies
    .map((policy) => policyReason(policy, facts.timeMs))
    .filter((reason) => reason !== undefined)
    .filter((reason) => !known.has(reasonKey(reason)));
  const all = [...facts.conditions, ...derived];
  const errors = all.filter(({ level }) => level === "error");
  const warnings = all.filter(({ level }) => level === "warning");
  const level = errors.length > 0 ? "error" : warnings.length > 0 ? "warning" : "ok";
  return { level, reasons: [...errors, ...warnings] };
}

/** What is wrong with a policy's backups at `nowMs`; undefined if nothing is. */
export function policyReason(policy: PolicyStatus, nowMs: number): HealthReason | undefined {
  if (!policy.enabled) return undefined;
  const { name, lastEnded } = policy;
  const since = lastEnded?.finishedMs === undefined ? {} : { sinceMs: lastEnded.finishedMs };
  const remedy = lastEnded?.failure?.remedy ?? `See \`backstay sessions --policy ${name}\`.`;
  if (isOverdue(policy, nowMs))
    return {
      code: "backup-overdue",
      level: "error",
      policy: name,
      sinceMs: ageCountsFromMs(policy) + policy.maximumAgeMs,
      text:
        policy.lastGood === undefined
          ? `Policy ${name} has no good backup yet, and should have one by now.`
          : `The last good backup of policy ${name} is older than it may be.`,
      remedy,
    };
  if (policy.failuresSinceGood > 0)
    return {
      code: "backup-failed",
      level: "warning",
      policy: name,
      ...since,
      text: `The last backup of policy ${name} failed.`,
      remedy,
    };
  if (lastEnded?.outcome === "warning")
    return {
      code: "backup-incomplete",
      level: "warning",
      policy: name,
      ...since,
      text: `The last backup of policy ${name} is not complete.`,
      remedy: `See \`backstay session ${lastEnded.id}\`.`,
    };
  return undefined;
}

/** True if the last good backup is older than it may be; one that was never made counts from when the policy came. */
export function isOverdue(policy: PolicyStatus, nowMs: number): boolean {
  return policy.enabled && nowMs - ageCountsFromMs(policy) > policy.maximumAgeMs;
}

/** A backup's data is as old as its start. */
function ageCountsFromMs({ lastGood, appliedMs }: PolicyStatus): number {
  return lastGood === undefined ? appliedMs : (lastGood.startedMs ?? lastGood.queuedMs);
}

function reasonKey({ code, policy }: HealthReason): string {
  return `${code} ${policy ?? ""}`;
}
