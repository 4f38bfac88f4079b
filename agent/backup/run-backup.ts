/** One backup under a lock. */
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import type { Repository } from "../repository/repository.ts";
import type { BackupEvents, BackupRequest, BackupSummary } from "./backup-request.ts";
import { BackupSession } from "./backup-session.ts";
import { StartedThreads } from "./threads/started-threads.ts";

/**
 * Backs up `request.paths`. Single files that can't be read become issues; the repository out of reach, a
 * source that does not exist at all, or a lost lock reject. After an abort what had arrived is indexed, so
 * that the next run does not send it again.
 *
 * Who has threads started before the repository was open gives them; they are ended here in any case.
 */
export async function runBackup(
  repository: Repository,
  request: BackupRequest,
  events: BackupEvents,
  signal: AbortSignal,
  started = new StartedThreads(request.readers),
): Promise<BackupSummary> {
  let lock: RepositoryLock | undefined;
  try {
    repository.assertWritable();
    if (!request.dryRun)
      lock = await repository.beginLock({ exclusive: false, waitMs: request.lockWaitMs, signal });
    return await new BackupSession(repository, request, events, lock, signal, started).run();
  } finally {
    await started.end();
    await lock?.release();
  }
}
