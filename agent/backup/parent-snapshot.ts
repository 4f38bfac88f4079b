/** Which snapshot a backup compares its source with, and what to say if the one before is gone. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { type NamedSnapshot, shortIdLength } from "../repository/snapshot/snapshot-finder.ts";
import type { BackupRequest, BackupWarning } from "./backup-request.ts";

/** Clocks differ by so much, without one of them being wrong. */
const clockDifferenceMs = 10 * 60 * 1000;

/**
 * The snapshot asked for, or the newest of the same host and paths (absolute, as text). One from the future, made while
 * a clock was wrong, would be the newest for a long time: it counts only if there is no other. SNAPSHOT_NOT_FOUND if the one
 * asked for is not there.
 */
export function findParent(
  snapshots: readonly NamedSnapshot[],
  request: BackupRequest,
  paths: readonly string[],
  nowMs: number,
): NamedSnapshot | undefined {
  if (request.parent === "none") return undefined;
  if (request.parent !== undefined) {
    const wanted = request.parent;
    const found = snapshots.find(({ id }) => id === wanted);
    if (found === undefined) throw new BackstayError("SNAPSHOT_NOT_FOUND", { snapshot: wanted });
    return found;
  }
  const key = JSON.stringify([...paths].sort());
  const ofSource = snapshots.filter(
    ({ snapshot }) =>
      snapshot.hostname === request.hostName && JSON.stringify([...snapshot.paths].sort()) === key,
  );
  const newestBefore = (timeMs: number): NamedSnapshot | undefined =>
    ofSource.findLast(({ snapshot }) => snapshot.time.seconds * 1000 <= timeMs);
  if (request.timeMs !== undefined) return newestBefore(request.timeMs);
  return newestBefore(nowMs + clockDifferenceMs) ?? ofSource.at(-1);
}

/** The warning that the last restore point of a source is gone. */
export function latestGone(snapshotId: string): BackupWarning {
  const id = snapshotId.slice(0, shortIdLength);
  return {
    item: `snapshots/${snapshotId}`,
    code: "LATEST_GONE",
    message: `the last restore point of this source, ${id}, is not in the repository any more, or can't be read; unless somebody removed it, the storage was set back to an earlier state or hides what came last`,
  };
}
