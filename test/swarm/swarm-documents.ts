/** What the machines of a swarm send: sessions and status, shaped as real ones are. */
import { randomBytes, randomUUID } from "node:crypto";
import type { AgentStatus, Report } from "../../protocol/control/reports.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { type SwarmIdentity, swarmFacts } from "./swarm-identity.ts";

/** What a machine knows of the policies that its server gave it. */
export interface SwarmPolicy {
  readonly name: string;
  readonly version: number;
  lastGoodMs?: number;
  lastOutcome?: string;
}

export interface SwarmStand {
  readonly serial?: number;
  readonly policies: readonly SwarmPolicy[];
}

/** A backup that has ended now, as the report of it. */
export function sessionReport(stand: SwarmStand, policy: SwarmPolicy, isGood: boolean): Report {
  const nowMs = Date.now();
  const session: SessionRecord = {
    id: randomBytes(8).toString("hex"),
    policy: policy.name,
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
  return {
    id: randomUUID(),
    kind: "session",
    timeMs: nowMs,
    session: { ...session },
    issues: [],
    ...(stand.serial !== undefined && { bundleSerial: stand.serial }),
    route: "gateway",
  };
}

export function statusOf(identity: SwarmIdentity, stand: SwarmStand): AgentStatus {
  return {
    version: 1,
    timeMs: Date.now(),
    bundle: {
      state: stand.serial === undefined ? "none" : "applied",
      ...(stand.serial !== undefined && { serial: stand.serial }),
    },
    health: "ok",
    conditions: [],
    policies: stand.policies.map(({ name, version, lastGoodMs, lastOutcome }) => ({
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
