/** What the machines of a swarm tell of themselves: sessions and status, shaped as real ones are. */
import { randomBytes } from "node:crypto";
import type { AgentStatus } from "../../protocol/control/reports.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { type SwarmIdentity, swarmFacts } from "./swarm-identity.ts";

/** What a machine knows of a policy that its server gave it. */
export interface SwarmPolicy {
  readonly name: string;
  readonly version: number;
  readonly tags: readonly string[];
  lastGoodMs?: number;
  lastOutcome?: string;
}

/** A backup that has ended now. */
export function endedSession(policy: string, isGood: boolean): SessionRecord {
  const nowMs = Date.now();
  return {
    id: randomBytes(8).toString("hex"),
    policy,
    kind: "backup",
    cause: { kind: "schedule", text: "daily at 20:00", slotMs: nowMs - 60_000 },
    attempt: 1,
    priority: 0,
    repository: "gateway of the swarm",
    state: "finished",
    queuedMs: nowMs - 60_000,
    startedMs: nowMs - 59_000,
    finishedMs: nowMs,
    outcome: isGood ? "success" : "failure",
    exitCode: isGood ? 0 : 1,
    issues: 0,
    scripts: [],
    ...(isGood && {
      figures: {
        snapshotId: randomBytes(32).toString("hex"),
        ...{ filesNew: 12, filesChanged: 5, filesUnmodified: 120_000, dirsNew: 1, dirsChanged: 6 },
        ...{ dirsUnmodified: 9000, dataBlobs: 20, treeBlobs: 7, totalFilesProcessed: 120_017 },
        ...{ totalBytesProcessed: 50_000_000_000, bytesRead: 30_000_000, bytesStored: 12_000_000 },
        ...{ dataAdded: 25_000_000, dataAddedPacked: 12_000_000, packsRecovered: 0, issues: 0 },
        ...{ startMs: nowMs - 59_000, endMs: nowMs },
      },
    }),
  };
}

export function statusOf(
  identity: SwarmIdentity,
  serial: number | undefined,
  policies: readonly SwarmPolicy[],
): AgentStatus {
  return {
    version: 1,
    timeMs: Date.now(),
    bundle: {
      state: serial === undefined ? "none" : "applied",
      ...(serial !== undefined && { serial }),
    },
    health: "ok",
    conditions: [],
    policies: policies.map(({ name, version, lastGoodMs, lastOutcome }) => ({
      policy: name,
      policyVersion: version,
      origin: "server",
      maximumAgeMs: 26 * 3_600_000,
      ...(lastGoodMs !== undefined && { lastGoodMs, lastEndedMs: lastGoodMs }),
      ...(lastOutcome !== undefined && { lastOutcome }),
    })),
    clockOffsetMs: 0,
    facts: swarmFacts(identity),
    fingerprint: { ...identity.fingerprint },
  };
}
