/** Does the backup that an order asks for. */
import path from "node:path";
import type { BackupFigures, BackupWork, RunOrder, RunProgress } from "../../protocol/run-order.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type {
  BackupProgress,
  BackupRequest,
  BackupSummary,
  BackupWarning,
} from "../backup/backup-request.ts";
import { ownPlacesAt } from "../backup/own-place-records.ts";
import { runBackup } from "../backup/run-backup.ts";
import { collectExcludes } from "../backup/select/selection-options.ts";
import { StartedThreads } from "../backup/threads/started-threads.ts";
import type { Repository } from "../repository/repository.ts";
import type { EngineOutput } from "./engine-output.ts";

/** What a backup needs to know of its order. */
type BackupOrder = Pick<RunOrder, "lockWaitMs" | "cacheRoot" | "repository">;

const shownFilesMax = 4;
const shownCharactersMax = 1000;

/** Backs up; rejects as `runBackup` does. */
export async function doBackup(
  repository: Repository,
  work: BackupWork,
  order: BackupOrder,
  output: EngineOutput,
  signal: AbortSignal,
): Promise<BackupFigures> {
  const threads = new StartedThreads();
  let lockProblem: string | undefined;
  try {
    const events = {
      progress: (progress: BackupProgress) => output.progress(shownProgress(progress)),
      issue: (issue: { path: string; code: string; message: string }) =>
        output.issue({ path: issue.path, code: issue.code, message: issue.message }),
      warning: ({ code, message }: BackupWarning) => {
        if (code === "LOCKS_SHORT") lockProblem = message;
        output.issue({ path: "", code, message });
      },
    };
    const request = backupRequest(work, order, repository.store);
    const summary = await runBackup(repository, request, events, signal, threads);
    return { ...figuresOf(summary), ...(lockProblem !== undefined && { lockProblem }) };
  } finally {
    await threads.end();
  }
}

function backupRequest(
  work: BackupWork,
  { lockWaitMs, cacheRoot, repository: { immutability } }: BackupOrder,
  store: ObjectStore,
): BackupRequest {
  const excludes = collectExcludes(
    {
      excludes: work.exclude,
      caseInsensitiveExcludes: work.excludeIgnoringCase,
      excludeFiles: [],
      caseInsensitiveExcludeFiles: [],
      excludeCaches: work.excludeCaches,
      excludeIfPresent: work.excludeIfPresent,
    },
    () => undefined,
  );
  const ownPlaces = new Set(work.ownPlaces);
  if (path.isAbsolute(store.location)) ownPlaces.add(store.location);
  if (cacheRoot !== undefined) ownPlaces.add(path.resolve(cacheRoot));
  const { excludeLargerThanBytes, includeMasks } = work;
  const masks = includeMasks?.map((text) => ({ text, caseInsensitive: true, origin: "mask" }));
  return {
    paths: work.paths.map((text) => new Uint8Array(Buffer.from(text, "base64"))),
    hostName: work.hostName,
    tags: work.tags,
    selection: {
      ...excludes,
      ...(masks === undefined ? {} : { includeMasks: masks }),
      ...(excludeLargerThanBytes === undefined ? {} : { excludeLargerThanBytes }),
      oneFileSystem: work.oneFileSystem,
      ...ownPlacesAt([...ownPlaces]),
    },
    excludes: work.exclude,
    compression: work.compression,
    dryRun: false,
    immutability,
    lockWaitMs,
  };
}

function shownProgress(progress: BackupProgress): RunProgress {
  const { filesTotal, bytesTotal, currentFiles, ...rest } = progress;
  return {
    ...rest,
    ...(filesTotal === undefined ? {} : { filesTotal }),
    ...(bytesTotal === undefined ? {} : { bytesTotal }),
    currentFiles: currentFiles
      .slice(0, shownFilesMax)
      .map((file) => file.slice(0, shownCharactersMax)),
  };
}

function figuresOf({
  snapshotId,
  lockedUntilMs,
  parentId,
  ...counts
}: BackupSummary): BackupFigures {
  return {
    ...counts,
    ...(lockedUntilMs === undefined ? {} : { lockedUntilMs }),
    ...(snapshotId === undefined ? {} : { snapshotId }),
    ...(parentId === undefined ? {} : { parentId }),
  };
}
