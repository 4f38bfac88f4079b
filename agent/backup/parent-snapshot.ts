/** Which snapshot a backup compares its source with. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import type { BackupRequest } from "./backup-request.ts";

/**
 * The snapshot asked for, or the newest of the same host and paths (absolute, as text). SNAPSHOT_NOT_FOUND if
 * the one asked for is not there.
 */
export function findParent(
  snapshots: readonly NamedSnapshot[],
  request: BackupRequest,
  paths: readonly string[],
): NamedSnapshot | undefined {
  if (request.parent === "none") return undefined;
  if (request.parent !== undefined) {
    const wanted = request.parent;
    const found = snapshots.find(({ id }) => id === wanted);
    if (found === undefined) throw new BackstayError("SNAPSHOT_NOT_FOUND", { snapshot: wanted });
    return found;
  }
  const key = JSON.stringify([...paths].sort());
  const latestMs = request.timeMs ?? Number.POSITIVE_INFINITY;
  return snapshots.findLast(
    ({ snapshot }) =>
      snapshot.hostname === request.hostName &&
      JSON.stringify([...snapshot.paths].sort()) === key &&
      snapshot.time.seconds * 1000 <= latestMs,
  );
}
