/** Does the restore that an order asks for. */
import { opendir } from "node:fs/promises";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { RestoreFigures, RestoreWork, RunProgress } from "../../protocol/run-order.ts";
import { patternOfPath } from "../patterns/pattern.ts";
import { compilePatterns } from "../patterns/pattern-set.ts";
import type { RepositoryLock } from "../repository/lock/repository-lock.ts";
import type { Repository } from "../repository/repository.ts";
import { everySnapshot, findSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import { findNode } from "../repository/walk/tree-lookup.ts";
import { restoreSnapshot } from "../restore/restore.ts";
import type { RestoreIssue } from "../restore/restore-issues.ts";
import type { RestoreCounts } from "../restore/restore-progress.ts";
import type { EngineOutput } from "./engine-output.ts";

/**
 * Restores; rejects as `findSnapshot` and `restoreSnapshot` do, PATH_NOT_FOUND if a path is not in the snapshot,
 * RESTORE_TARGET if the target must be empty and is not, STORE_ARCHIVED if packs that it needs were found in an archive. What single files came to is in the figures.
 */
export async function doRestore(
  repository: Repository,
  work: RestoreWork,
  lockWaitMs: number,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<RestoreFigures> {
  if (work.onlyIntoEmpty) await assertEmpty(work.target);
  const lock = await sharedLock(repository, lockWaitMs, signal);
  try {
    const filter = { ...everySnapshot, hosts: [work.hostName] };
    const { id, snapshot } = await findSnapshot(repository, work.snapshot, signal, { filter });
    await repository.loadIndex(signal);
    const paths = work.paths.map((path) => new TextEncoder().encode(path));
    for (const path of paths) await findNode(repository, snapshot.tree, path, signal);
    const patterns = paths.map((path) => ({ text: patternOfPath(path), caseInsensitive: false }));
    const startMs = performance.now();
    let issues = 0;
    const summary = await restoreSnapshot({
      repository,
      tree: snapshot.tree,
      target: new TextEncoder().encode(work.target),
      ...(patterns.length === 0 ? {} : { include: compilePatterns(patterns) }),
      overwrite: work.overwrite,
      verify: work.verify,
      flush: true,
      // Nobody is there to be asked.
      coldPacks: ({ cold, looked }) => {
        const problem = `of ${looked} packs that were looked at; nothing was restored`;
        throw new BackstayError("STORE_ARCHIVED", { packs: cold.length, problem });
      },
      progress: {
        counts: (counts) => output.progress(shownProgress(counts, issues, startMs)),
        issue: ({ path, kind, severity, text }: RestoreIssue) => {
          issues += 1;
          output.issue({ path, code: kind, message: `${severity}: ${text}` });
        },
      },
      signal,
    });
    const {
      entriesDeleted: _,
      bytesTotal: __,
      bytesSkipped: ___,
      issues: ____,
      ...counts
    } = summary;
    return { snapshotId: id, ...counts };
  } finally {
    await lock?.release();
  }
}

/** Undefined where none can be written: a restore from a read-only disk must work. */
async function sharedLock(
  repository: Repository,
  waitMs: number,
  signal: AbortSignal,
): Promise<RepositoryLock | undefined> {
  try {
    return await repository.lock({ exclusive: false, waitMs, signal });
  } catch (error) {
    if (isBackstayError(error, "STORE_DENIED")) return undefined;
    throw error;
  }
}

async function assertEmpty(target: string): Promise<void> {
  const refused = (reason: string, cause?: unknown): BackstayError =>
    new BackstayError("RESTORE_TARGET", { target, reason }, cause);
  try {
    const folder = await opendir(target);
    const first = await folder.read();
    await folder.close();
    if (first !== null)
      throw refused("it holds something, and this machine allows only a new or an empty folder");
  } catch (error) {
    if (error instanceof BackstayError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    if (code !== "ENOENT") throw refused(`it can't be looked at: ${code}`, error);
  }
}

function shownProgress(counts: RestoreCounts, issues: number, startMs: number): RunProgress {
  const { phase, entriesDone, entriesTotal, bytesDone, bytesTotal, bytesSkipped, current } = counts;
  return {
    phase,
    filesDone: entriesDone,
    filesTotal: entriesTotal,
    bytesDone: bytesDone + bytesSkipped,
    bytesTotal,
    currentFiles: current === undefined ? [] : [current.slice(0, 1000)],
    issues,
    elapsedMs: Math.round(performance.now() - startMs),
  };
}
