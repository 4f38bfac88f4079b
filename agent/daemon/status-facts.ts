/** Puts together what the daemon knows of itself and its policies. */
import type { ObeyedStand } from "../../protocol/control/repository-stand.ts";
import type { HealthReason } from "../../protocol/local-api/health.ts";
import type {
  AgentStatus,
  DestinationStatus,
  NextRun,
  PolicyStatus,
  StatusFacts,
} from "../../protocol/local-api/status.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { Destination } from "../control/bundle-in-force.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { PolicyInForce } from "./policy-book.ts";
import { routesOf } from "./repository-places.ts";
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

function policyStatus(found: PolicyInForce, { history, nextRun }: StatusParts): PolicyStatus {
  const { name, policy, appliedMs } = found;
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
      ...wayOf(found, lastEnded),
      ...(reachable !== undefined && { reachable }),
    },
  };
}

/** Where backups go, and by which route: the one that was used last, else the first. */
function wayOf(
  { policy, server }: PolicyInForce,
  last: SessionRecord | undefined,
): Pick<DestinationStatus, "place" | "route" | "stand"> {
  const destination = server?.bundle.destinations.get(server.repositoryId);
  if (destination === undefined)
    return { place: policy.destination.repository, route: last?.route ?? "direct" };
  const routes = routesOf(destination, policy);
  const used = routes.find(({ repository }) => repository === last?.location);
  const route = used ?? routes[0] ?? destination.routes[0];
  const stand = newestStand(destination, policy.destination.repository, last);
  return {
    place: `${destination.name} at ${route.repository}`,
    route: route.kind,
    ...(stand !== undefined && { stand }),
  };
}

/** What the last session found in the storage counts until the server tells something newer. */
function newestStand(
  { stand: told }: Destination,
  repository: string,
  last: SessionRecord | undefined,
): ObeyedStand | undefined {
  const found = last?.repository === repository ? last.stand : undefined;
  if (found !== undefined && found.number >= (told?.number ?? 0)) return found;
  return told === undefined ? undefined : { ...told, source: "server" };
}
