/** Puts together what the daemon knows of itself and its policies. */
import type { HealthReason } from "../../protocol/local-api/health.ts";
import type {
  AgentStatus,
  NextRun,
  PolicyStatus,
  StatusFacts,
} from "../../protocol/local-api/status.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { PolicyInForce } from "./policy-book.ts";
import type { SessionHistory } from "./session-history.ts";

export interface StatusParts {
  readonly nowMs: () => number;
  readonly agent: AgentStatus;
  readonly inForce: () => ReadonlyMap<string, PolicyInForce>;
  readonly history: SessionHistory;
  readonly jobs: Pick<Jobs, "running" | "queued" | "pauses">;
  readonly nextRun: (policy: string) => NextRun;
  readonly conditions: () => readonly HealthReason[];
}

export function statusFacts(parts: StatusParts): StatusFacts {
  const { nowMs, agent, inForce, jobs, conditions } = parts;
  return {
    timeMs: nowMs(),
    agent,
    policies: [...inForce().values()].map((found) => policyStatus(found, parts)),
    running: jobs.running(),
    waiting: jobs.queued(),
    pauses: jobs.pauses(),
    conditions: conditions(),
  };
}

function policyStatus(
  { name, policy, appliedMs }: PolicyInForce,
  { history, nextRun }: StatusParts,
): PolicyStatus {
  const { lastGood, lastEnded, failuresSinceGood, reachable } = history.of(name);
  return {
    name,
    kind: policy.kind,
    enabled: policy.enabled,
    maximumAgeMs: policy.objective.maximumAge,
    appliedMs,
    ...(lastGood !== undefined && { lastGood }),
    ...(lastEnded !== undefined && { lastEnded }),
    failuresSinceGood,
    next: nextRun(name),
    destination: {
      place: policy.destination.repository,
      route: "direct",
      ...(reachable !== undefined && { reachable }),
    },
  };
}
