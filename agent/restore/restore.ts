/**
 * Restores a snapshot, or a part of one, into a folder. docs/restore.md says what users may rely on.
 */
import { availableParallelism } from "node:os";
import { openTargetFiles } from "../../platform/open-target-files.ts";
import { FileError } from "../../platform/ports/source-files.ts";
import type { TargetFiles, TargetHandle } from "../../platform/ports/target-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { findNode } from "../repository/walk/tree-lookup.ts";
import { findColdPacks } from "./fetch/cold-packs.ts";
import { PlanBuilder, type PlanStart, usualLimits } from "./plan/plan-builder.ts";
import { selectionRoot } from "./plan/selection.ts";
import { IssueList, showPath } from "./restore-issues.ts";
import type { RestoreRequest } from "./restore-request.ts";
import { RestoreRun } from "./restore-run.ts";
import type { RestoreSummary } from "./restore-summary.ts";
import { isSameEntry, StatView } from "./write/stat-view.ts";
import { OwnThread, type WorkExecutor } from "./write/work-executor.ts";
import { explain } from "./write/work-issues.ts";
import { WorkPool } from "./write/work-pool.ts";

/**
 * Resolves when all that can be restored is. What could not be, or not quite, is in the summary: a caller reports
 * failure if it has errors. Rejects with PATH_NOT_FOUND, RESTORE_TARGET, RESTORE_TARGET_FULL,
 * RESTORE_DELETE_REFUSED, RESTORE_TOO_LARGE, what `coldPacks` throws, errors of the store that concern more than one pack, or the
 * signal's reason; the same restore can then be run again and goes on from there.
 */
export async function restoreSnapshot(request: RestoreRequest): Promise<RestoreSummary> {
  const { repository, signal, progress = {} } = request;
  const start = await findStart(request);
  const files = openTargetFiles();
  const root = openTarget(files, request);
  const workers = new Workers(request, files);
  try {
    refuseDeletion(request, start, files, root);
    const selection = selectionRoot(request.include, request.exclude);
    const issues = new IssueList(progress.issue);
    const builder = new PlanBuilder({
      repository,
      start,
      selection,
      foldsNames: root !== undefined && request.dryRun !== true && foldsNames(files, root),
      limits: request.limits ?? usualLimits,
      issues,
      onProgress: (entries, bytes) => workers.expect(entries, bytes),
      signal,
    });
    const totals = await builder.build();
    if (request.coldPacks !== undefined) {
      const found = await findColdPacks(repository, builder.plan, signal);
      if (found !== undefined) request.coldPacks(found);
    }
    const run = new RestoreRun({
      request,
      plan: builder.plan,
      totals,
      selection,
      files,
      root,
      workers: workers.executor,
      issues,
    });
    return await run.run();
  } finally {
    await workers.close();
    if (root !== undefined) files.close(root);
  }
}

/** Up to here starting threads would take longer than the work. */
const smallEntries = 300;
const smallBytes = 16 * 1024 * 1024;
const planTellMs = 200;

/** Starts threads as soon as the plan turns out to be worth it, so that they load their code meanwhile. */
class Workers {
  readonly #request: RestoreRequest;
  readonly #files: TargetFiles;
  #executor: WorkExecutor | undefined;
  #toldAt = 0;

  constructor(request: RestoreRequest, files: TargetFiles) {
    this.#request = request;
    this.#files = files;
    if (request.threads !== undefined) this.#executor = new WorkPool(request.threads);
  }

  /** Told how far the plan is. */
  expect(entries: number, bytes: number): void {
    if (entries > smallEntries || bytes > smallBytes)
      this.#executor ??= new WorkPool(Math.max(1, availableParallelism()));
    const now = performance.now();
    if (now - this.#toldAt < planTellMs) return;
    this.#toldAt = now;
    this.#request.progress?.counts?.({
      phase: "plan",
      entriesTotal: entries,
      entriesDone: 0,
      bytesTotal: bytes,
      bytesDone: 0,
      bytesSkipped: 0,
      current: undefined,
    });
  }

  get executor(): WorkExecutor {
    this.#executor ??= new OwnThread(this.#files, this.#request.repository.sealer.codec);
    return this.#executor;
  }

  async close(): Promise<void> {
    await this.#executor?.close();
  }
}

async function findStart({ repository, tree, path, signal }: RestoreRequest): Promise<PlanStart> {
  const node = path === undefined ? undefined : await findNode(repository, tree, path, signal);
  if (node === undefined) return { tree };
  return node.type === "dir" && node.subtree !== null ? { tree: node.subtree } : { node };
}

/** Undefined if it does not exist, in a dry run. */
function openTarget(
  files: TargetFiles,
  { target, dryRun }: RestoreRequest,
): TargetHandle | undefined {
  try {
    return files.openRoot(target, dryRun !== true);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (dryRun === true && error.code === "ENOENT") return undefined;
    const facts = { target: showPath(target), reason: explain(error) };
    throw new BackstayError("RESTORE_TARGET", facts, error);
  }
}

/** Deleting needs a word more than a mistyped path has. */
function refuseDeletion(
  request: RestoreRequest,
  start: PlanStart,
  files: TargetFiles,
  root: TargetHandle | undefined,
): void {
  if (request.delete !== true || root === undefined) return;
  const target = showPath(request.target);
  const refuse = (reason: string): BackstayError =>
    new BackstayError("RESTORE_DELETE_REFUSED", { target, reason });
  if ("node" in start) throw refuse("a single file is restored");
  if (isFileSystemRoot(files, root)) throw refuse("the target is the root of the system");
  if (request.deleteConfirmed !== true && request.dryRun !== true)
    throw refuse("it was not confirmed");
}

function isFileSystemRoot(files: TargetFiles, root: TargetHandle): boolean {
  const top = files.openRoot(Buffer.from("/"), false);
  try {
    const stat = new StatView(files);
    stat.handle(root);
    const { identity } = stat;
    stat.handle(top);
    return isSameEntry(identity, stat.identity);
  } finally {
    files.close(top);
  }
}

/** Tries it out: a file system may know no case, whatever the system. */
function foldsNames(files: TargetFiles, root: TargetHandle): boolean {
  const name = Buffer.from(`.backstay-probe-${process.pid}-a`);
  const other = Buffer.from(name.toString().toUpperCase());
  try {
    files.close(files.createFile(root, name));
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  }
  try {
    files.close(files.openEntry(root, other));
    return true;
  } catch (error) {
    if (error instanceof FileError) return false;
    throw error;
  } finally {
    files.removeFile(root, name);
  }
}
