/** Does the check that an order asks for. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { CheckFigures, CheckWork, RunIssue, RunProgress } from "../../protocol/run-order.ts";
import { dataToRead } from "../check/read/read-data-text.ts";
import type { CheckProblem, CheckProgress, CheckResult } from "../check/report/check-report.ts";
import { runCheck } from "../check/run-check.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import type { Repository } from "../repository/repository.ts";
import type { EngineOutput } from "./engine-output.ts";

/** Checks; problems are told as issues and counted. Rejects as `runCheck` does, USAGE if `data` has no known form. */
export async function doCheck(
  repository: Repository,
  work: CheckWork,
  lockWaitMs: number,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<CheckFigures> {
  const readData = dataToRead(work.data);
  const startMs = performance.now();
  const events = {
    progress: (progress: CheckProgress) => output.progress(shownProgress(progress, startMs)),
    problem: (problem: CheckProblem) => output.issue(issueOf(problem)),
  };
  const check = async (noLock: boolean): Promise<CheckResult> =>
    await runCheck(repository, { readData, lockWaitMs, noLock }, events, signal);
  const { problemCount, statistics } = await check(false).catch(async (error: unknown) => {
    // A disk that is read-only can be checked all the same: nobody else changes it either.
    const isLockRefused =
      isBackstayError(error, "STORE_DENIED") && String(error.context["file"]).startsWith("locks/");
    if (!isLockRefused) throw error;
    return await check(true);
  });
  const { snapshots, packs, packsRead, bytesRead } = statistics;
  return { snapshots, packs, packsRead, bytesRead, problems: problemCount };
}

function issueOf({ kind, object, details, harm }: CheckProblem): RunIssue {
  const { paths, pathCount, snapshotCount } = harm;
  const what = [`${object.type} ${object.id}`, ...details].join("; ");
  const hurts =
    snapshotCount === 0 ? "" : `; it hurts ${snapshotCount} snapshots, ${pathCount} paths`;
  const path = paths.length === 0 ? "" : utf8Text(paths[0].path);
  return { path, code: kind, message: `${what}${hurts}` };
}

function shownProgress(progress: CheckProgress, startMs: number): RunProgress {
  const { phase, done, total, bytesDone, bytesTotal, problems } = progress;
  return {
    phase,
    filesDone: done,
    ...(total > 0 && { filesTotal: total }),
    bytesDone,
    ...(bytesTotal > 0 && { bytesTotal }),
    currentFiles: [],
    issues: problems,
    elapsedMs: Math.round(performance.now() - startMs),
  };
}
