/** Sessions and places for tests of the agent's state. */
import { randomBytes } from "node:crypto";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";

/** For states that no trouble of the disk may befall. */
export function noTrouble(trouble: BackstayError): never {
  throw trouble;
}

/** A queued session; `given` replaces parts. */
export function sampleSession(given: Partial<SessionRecord> = {}): SessionRecord {
  return {
    id: randomBytes(8).toString("hex"),
    policy: "documents",
    kind: "backup",
    cause: { kind: "manual", text: "by hand" },
    attempt: 1,
    priority: 0,
    repository: "/backup/here",
    state: "queued",
    queuedMs: Date.UTC(2026, 0, 1),
    issues: 0,
    scripts: [],
    ...given,
  };
}

/** One that left a complete restore point. */
export function goodSession(given: Partial<SessionRecord> = {}): SessionRecord {
  const startMs = given.queuedMs ?? Date.UTC(2026, 0, 1);
  return sampleSession({
    state: "finished",
    outcome: "success",
    exitCode: 0,
    startedMs: startMs,
    finishedMs: startMs + 60_000,
    figures: {
      snapshotId: randomBytes(32).toString("hex"),
      filesNew: 1,
      filesChanged: 0,
      filesUnmodified: 0,
      dirsNew: 0,
      dirsChanged: 0,
      dirsUnmodified: 0,
      dataBlobs: 1,
      treeBlobs: 1,
      packsRecovered: 0,
      totalFilesProcessed: 1,
      totalBytesProcessed: 10,
      bytesRead: 10,
      bytesStored: 20,
      dataAdded: 10,
      dataAddedPacked: 12,
      startMs,
      endMs: startMs + 60_000,
      issues: 0,
    },
    ...given,
  });
}
