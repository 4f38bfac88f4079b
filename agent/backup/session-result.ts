/** What a session leaves: its summary and the JSON of its snapshot. */
import { processIdentity } from "../../platform/process-identity.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { idFromHex } from "../repository/id.ts";
import { type SnapshotTime, snapshotTime } from "../repository/snapshot/snapshot.ts";
import { encodeSnapshot } from "../repository/snapshot/snapshot-codec.ts";
import type { BackupRequest, BackupSummary } from "./backup-request.ts";
import type { ScanCounts } from "./scan/scan-report.ts";
import type { SessionMemory } from "./work/session-memory.ts";

/** A summary before the snapshot is saved. */
export type SessionCounts = Omit<
  BackupSummary,
  "snapshotId" | "lockedUntilMs" | "parentId" | "endMs"
>;

/** Puts together what the threads counted. */
export function sessionCounts(
  counts: ScanCounts,
  memory: SessionMemory,
  session: { startMs: number; bytesStored: number; packsRecovered: number },
): SessionCounts {
  return {
    filesNew: counts.filesNew,
    filesChanged: counts.filesChanged,
    filesUnmodified: counts.filesUnmodified,
    dirsNew: counts.dirsNew,
    dirsChanged: counts.dirsChanged,
    dirsUnmodified: counts.dirsUnmodified,
    dataBlobs: memory.total("dataBlobs"),
    treeBlobs: memory.total("treeBlobs"),
    dataAdded: memory.total("bytesAdded"),
    dataAddedPacked: memory.total("bytesPacked"),
    totalFilesProcessed: counts.files,
    totalBytesProcessed: counts.bytes,
    issues: counts.issues,
    bytesRead: memory.total("bytesRead"),
    ...session,
  };
}

/** The JSON of the snapshot. `parent` is hex; `paths` are absolute. */
export function encodeSessionSnapshot(
  request: BackupRequest,
  counts: SessionCounts,
  tree: Uint8Array,
  parent: string | undefined,
  paths: readonly string[],
): Uint8Array {
  const identity = processIdentity();
  return encodeSnapshot({
    time: timeOf(request.timeMs ?? counts.startMs),
    ...(parent === undefined ? {} : { parent: idFromHex(parent) }),
    tree,
    paths,
    hostname: request.hostName,
    username: identity.userName,
    uid: identity.uid,
    gid: identity.gid,
    excludes: request.excludes ?? [],
    tags: request.tags,
    programVersion: `backstay ${programVersion}`,
    summary: {
      ...counts,
      backupStart: timeOf(counts.startMs),
      backupEnd: timeOf(Date.now()),
    },
  });
}

function timeOf(ms: number): SnapshotTime {
  return snapshotTime(Math.floor(ms / 1000), (((ms % 1000) + 1000) % 1000) * 1_000_000);
}
