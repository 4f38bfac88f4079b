/** One backup under a lock. */
import type { Repository } from "../repository/repository.ts";
import type { BackupEvents, BackupRequest, BackupSummary } from "./backup-request.ts";
import { BackupSession } from "./backup-session.ts";

/**
 * Backs up `request.paths`. Single files that can't be read become issues; the repository out of reach, a
 * source that does not exist at all, or a lost lock reject. After an abort what had arrived is indexed, so
 * that the next run does not send it again.
 */
export async function runBackup(
  repository: Repository,
  request: BackupRequest,
  events: BackupEvents,
  signal: AbortSignal,
): Promise<BackupSummary> {
  repository.assertWritable();
  const lock = request.dryRun
    ? undefined
    : await repository.beginLock({ exclusive: false, waitMs: request.lockWaitMs, signal });
  try {
    return await new BackupSession(repository, request, events, lock, signal).run();
  } finally {
    await lock?.release();
  }
}
