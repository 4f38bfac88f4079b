/** Carries out a plan: directories, what is there already, data, the rest, deletions, metadata of directories, verification. */
import type { TargetFiles, TargetHandle } from "../../platform/ports/target-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { masterKeyToBytes } from "../repository/crypto/master-key.ts";
import { removeExtras } from "./extra-removal.ts";
import { feedBlobs } from "./fetch/blob-feeder.ts";
import { orderRefs } from "./fetch/blob-order.ts";
import { settleLeaders } from "./plan/link-leaders.ts";
import type { PlanTotals } from "./plan/plan-builder.ts";
import { type RestorePlan, rowFlag, rowKind, rowState } from "./plan/restore-plan.ts";
import type { SelectionScope } from "./plan/selection.ts";
import { type IssueList, showPath } from "./restore-issues.ts";
import { RestoreMeter } from "./restore-meter.ts";
import type { RestoreAction } from "./restore-progress.ts";
import type { RestoreRequest } from "./restore-request.ts";
import { countStates, type RestoreSummary } from "./restore-summary.ts";
import { PartSlots } from "./write/part-slots.ts";
import type { WorkExecutor } from "./write/work-executor.ts";
import { explain, fileError } from "./write/work-issues.ts";
import type { WorkAnswer, WorkJob, WorkStart } from "./write/work-messages.ts";

const mebibyte = 1024 * 1024;
/** Fetched bytes that wait for a worker, for each connection that the store likes, and in all. */
const connectionBytes = 16 * mebibyte;
const inFlightBytesMax = 256 * mebibyte;
/** Most bytes of one request: several blobs, which are hashed in pairs. */
const rangeBytesMax = 8 * mebibyte;

/** A job of rows ends when it has so many, or when their files have so many bytes. */
const jobRows = 1024;
const jobBytes = 64 * mebibyte;

type RowsJob = "inspect" | "entries" | "links" | "finish-directories" | "verify";

export interface RunParts {
  readonly request: RestoreRequest;
  readonly plan: RestorePlan;
  readonly totals: PlanTotals;
  readonly selection: SelectionScope;
  readonly files: TargetFiles;
  /** Undefined in a dry run whose target does not exist. */
  readonly root: TargetHandle | undefined;
  readonly workers: WorkExecutor;
  readonly issues: IssueList;
}

export class RestoreRun {
  readonly #parts: RunParts;
  readonly #plan: RestorePlan;
  readonly #meter: RestoreMeter;
  readonly #cancelled = new SharedArrayBuffer(4);
  #deleted = 0;
  #verified = 0;
  #bytesWritten = 0;

  constructor(parts: RunParts) {
    this.#parts = parts;
    this.#plan = parts.plan;
    const progress = parts.request.progress ?? {};
    this.#meter = new RestoreMeter(parts.plan, parts.workers.threads, progress);
  }

  /** See `restoreSnapshot`. */
  async run(): Promise<RestoreSummary> {
    const { request, totals } = this.#parts;
    const { signal } = request;
    const cancel = (): void => {
      Atomics.store(new Int32Array(this.#cancelled), 0, 1);
    };
    signal.addEventListener("abort", cancel, { once: true });
    this.#meter.setTotals(totals.entries, totals.bytes);
    this.#meter.start();
    try {
      signal.throwIfAborted();
      await this.#compare();
      this.#tellEntries();
      if (request.dryRun === true) this.#removeExtras();
      else await this.#restore();
      this.#warnOfOmissions();
      return this.#summarize();
    } finally {
      cancel();
      signal.removeEventListener("abort", cancel);
      this.#meter.stop();
    }
  }

  /** Makes directories and finds out what is in the way. */
  async #compare(): Promise<void> {
    const { root, workers } = this.#parts;
    this.#meter.enter("compare");
    if (root === undefined) {
      this.#settleUnseen();
      return;
    }
    workers.start((worker) => this.#startOf(worker, root));
    await this.#job({ kind: "directories" });
    this.#failBelowFailed();
    await this.#jobs(this.#rowJobs("inspect", this.#inspectedRanges()));
    settleLeaders(this.#plan);
  }

  /** Where no target is, everything would be new. */
  #settleUnseen(): void {
    const plan = this.#plan;
    for (let row = 1; row < plan.rows; row += 1) {
      const isNeeded = plan.kindOf(row) === rowKind.directory && plan.hasFlag(row, rowFlag.needed);
      if (isNeeded) plan.setState(row, rowState.created);
    }
  }

  async #restore(): Promise<void> {
    const { request, root, files } = this.#parts;
    this.#meter.enter("restore");
    await this.#writeBlobs();
    const all: [number, number][] = [[1, this.#plan.rows]];
    await this.#jobs(this.#rowJobs("entries", all));
    await this.#jobs(this.#rowJobs("links", all));
    this.#removeExtras();
    await this.#finishDirectories();
    this.#bytesWritten = this.#meter.bytes;
    if (request.verify === true) await this.#verify();
    if (request.flush === true && root !== undefined) {
      try {
        files.flush(root);
      } catch (error) {
        const facts = { target: showPath(request.target), reason: explain(fileError(error, 0)) };
        throw new BackstayError("RESTORE_TARGET", facts, error);
      }
    }
  }

  async #writeBlobs(): Promise<void> {
    const { request, files, root, issues, workers } = this.#parts;
    const { repository, signal } = request;
    const plan = this.#plan;
    const isWanted = (ref: number): boolean => this.#isToBeWritten(plan.rowOf(ref));
    const { order, plainBytes } = orderRefs(plan, repository.blobs, isWanted);
    if (order.length === 0) return;
    const free = root === undefined ? plainBytes : files.freeBytes(root);
    if (plainBytes > free) {
      const text = `${plainBytes} bytes are to be written, but only ${free} are free; it may fit if much of it is zeros`;
      issues.add({ severity: "warning", kind: "target", path: "", text });
    }
    const slots = this.#makeSlots();
    const orderMemory = order.buffer as SharedArrayBuffer;
    const prepare = { kind: "prepare-blobs", order: orderMemory, slots: slots.shared } as const;
    for (const answer of await workers.runOnAll(prepare)) this.#take(answer);
    const connections = repository.store.capabilities.connections;
    await feedBlobs({
      repository,
      plan,
      order,
      bytesInFlightMax: Math.min(connections * connectionBytes, inFlightBytesMax),
      rangeBytesMax,
      run: async (job, transfer) => this.#take(await workers.run(job, transfer)),
      signal,
    });
  }

  /** True for a file that waits for data under its own name. */
  #isToBeWritten(row: number): boolean {
    const plan = this.#plan;
    if (plan.linkOf(row) >= 0 || !plan.hasFlag(row, rowFlag.selected)) return false;
    const state = plan.stateOf(row);
    return state === rowState.pending || state === rowState.update || state === rowState.replace;
  }

  /** One slot for each file of several blobs that waits for some. */
  #makeSlots(): PartSlots {
    const plan = this.#plan;
    const rows: number[] = [];
    const missing: number[] = [];
    for (let row = 1; row < plan.rows; row += 1) {
      if (plan.kindOf(row) !== rowKind.file || plan.countOf(row) < 2) continue;
      if (!this.#isToBeWritten(row)) continue;
      const first = plan.firstOf(row);
      let count = 0;
      for (let i = 0; i < plan.countOf(row); i += 1) if (!plan.isRefDone(first + i)) count += 1;
      if (count === 0) continue;
      rows.push(row);
      missing.push(count);
    }
    return PartSlots.create(rows, missing);
  }

  #removeExtras(): void {
    const { request, files, root, issues, selection } = this.#parts;
    if (request.delete !== true || root === undefined) return;
    this.#deleted = removeExtras({
      plan: this.#plan,
      files,
      root,
      selection,
      dryRun: request.dryRun === true,
      issues,
      onRemoval: (path) => request.progress?.entry?.("deleted", path, 0),
      signal: request.signal,
    });
  }

  /** As root in any order; others might lock themselves out, so there those below come first. */
  async #finishDirectories(): Promise<void> {
    const { rows } = this.#plan;
    if (!this.#parts.files.abilities.ownership) {
      await this.#job({ kind: "finish-directories", from: 1, to: rows });
      return;
    }
    await this.#jobs(this.#rowJobs("finish-directories", [[1, rows]]));
  }

  async #verify(): Promise<void> {
    const plan = this.#plan;
    let entries = 0;
    let bytes = 0;
    for (let row = 1; row < plan.rows; row += 1) {
      const state = plan.stateOf(row);
      const isComplete = state === rowState.done || state === rowState.unchanged;
      if (plan.kindOf(row) !== rowKind.file || plan.linkOf(row) >= 0 || !isComplete) continue;
      entries += 1;
      bytes += plan.sizeOf(row);
    }
    this.#verified = entries;
    this.#meter.enter("verify");
    this.#meter.setTotals(entries, bytes);
    await this.#jobs(this.#rowJobs("verify", [[1, plan.rows]]));
  }

  /**
   * What lies in a directory that could not be made can't be restored either; the issue is the directory's. Counts
   * everything that nobody will touch any more.
   */
  #failBelowFailed(): void {
    const plan = this.#plan;
    for (let row = 1; row < plan.rows; row += 1) {
      if (!plan.hasFlag(row, rowFlag.selected)) continue;
      const isBelow = plan.stateOf(plan.parentOf(row)) === rowState.failed;
      if (isBelow) plan.setState(row, rowState.failed);
      const state = plan.stateOf(row);
      if (state === rowState.failed || state === rowState.damaged) this.#meter.addEntry();
    }
  }

  /** Entries of directories that were there before. */
  *#inspectedRanges(): Generator<[number, number]> {
    const plan = this.#plan;
    for (let row = 0; row < plan.rows; row += 1) {
      if (plan.kindOf(row) !== rowKind.directory || plan.stateOf(row) !== rowState.existed)
        continue;
      const count = plan.countOf(row);
      if (count > 0) yield [plan.firstOf(row), plan.firstOf(row) + count];
    }
  }

  *#rowJobs(kind: RowsJob, ranges: Iterable<[number, number]>): Generator<WorkJob> {
    const plan = this.#plan;
    const heedsBytes = kind === "inspect" || kind === "verify";
    for (const [start, end] of ranges) {
      let from = start;
      let bytes = 0;
      for (let row = start; row < end; row += 1) {
        if (heedsBytes && plan.kindOf(row) === rowKind.file) bytes += plan.sizeOf(row);
        if (row + 1 - from < jobRows && bytes < jobBytes && row + 1 < end) continue;
        yield { kind, from, to: row + 1 };
        from = row + 1;
        bytes = 0;
      }
    }
  }

  /** Does jobs as they come, a few more at a time than there are threads. */
  async #jobs(jobs: Iterable<WorkJob>): Promise<void> {
    const iterator = jobs[Symbol.iterator]();
    const next = async (): Promise<void> => {
      for (let job = iterator.next(); job.done !== true; job = iterator.next())
        await this.#job(job.value);
    };
    await Promise.all(Array.from({ length: this.#parts.workers.threads * 2 }, next));
  }

  async #job(job: WorkJob): Promise<void> {
    this.#take(await this.#parts.workers.run(job));
  }

  /** Notes the issues of an answer; throws if the restore can't go on. */
  #take(answer: WorkAnswer): WorkAnswer {
    const { issues, request } = this.#parts;
    for (const issue of answer.issues.issues) issues.add(issue);
    issues.errors += answer.issues.moreErrors;
    issues.warnings += answer.issues.moreWarnings;
    request.signal.throwIfAborted();
    if (answer.fullAt === undefined) return answer;
    Atomics.store(new Int32Array(this.#cancelled), 0, 1);
    const left = this.#parts.totals.bytes - this.#meter.bytes - this.#meter.skippedBytes;
    throw new BackstayError("RESTORE_TARGET_FULL", {
      at: showPath(this.#plan.pathOf(answer.fullAt)),
      bytesLeft: Math.max(0, left),
    });
  }

  #tellEntries(): void {
    const tell = this.#parts.request.progress?.entry;
    if (tell === undefined) return;
    const plan = this.#plan;
    for (let row = 1; row < plan.rows; row += 1) {
      if (!plan.hasFlag(row, rowFlag.selected)) continue;
      const action = actionOf(plan.stateOf(row));
      const isFile = plan.kindOf(row) === rowKind.file;
      if (action !== undefined) tell(action, plan.pathOf(row), isFile ? plan.sizeOf(row) : 0);
    }
  }

  #warnOfOmissions(): void {
    const { totals, files, issues } = this.#parts;
    const warn = (text: string): void =>
      issues.add({ severity: "warning", kind: "metadata", path: "", text });
    if (!files.abilities.ownership && files.abilities.modes)
      warn("owners were not restored: that takes root");
    if (totals.foreignAttributes > 0)
      warn(`${totals.foreignAttributes} entries have attributes of Windows, which were left out`);
  }

  #summarize(): RestoreSummary {
    const { issues, totals, request } = this.#parts;
    const counts = countStates(this.#plan, request.dryRun === true);
    return {
      entriesTotal: totals.entries,
      entriesRestored: counts.restored,
      entriesUnchanged: counts.unchanged,
      entriesSkipped: counts.skipped,
      entriesFailed: counts.failed,
      entriesDeleted: this.#deleted,
      bytesTotal: totals.bytes,
      bytesRestored:
        request.dryRun === true
          ? Math.max(0, totals.bytes - this.#meter.skippedBytes)
          : this.#bytesWritten,
      bytesSkipped: this.#meter.skippedBytes,
      filesVerified: this.#verified,
      errors: issues.errors,
      warnings: issues.warnings,
      issues: issues.kept,
    };
  }

  #startOf(worker: number, root: TargetHandle): WorkStart {
    const { request, files } = this.#parts;
    const { repository, overwrite = "always" } = request;
    return {
      worker,
      plan: this.#plan.shared,
      blobs: repository.blobs.shared,
      key: masterKeyToBytes(repository.masterKey),
      root: files.tokenOf(root),
      settings: {
        overwrite,
        dryRun: request.dryRun === true,
        ownership: files.abilities.ownership,
        clearFolders: request.delete === true && request.deleteConfirmed === true,
      },
      counters: this.#meter.memory,
      cancelled: this.#cancelled,
    };
  }
}

/** What is about to happen to a row, as far as that is decided; undefined if it failed. */
function actionOf(state: number): RestoreAction | undefined {
  switch (state) {
    case rowState.pending:
    case rowState.created:
      return "restored";
    case rowState.update:
    case rowState.replace:
      return "updated";
    case rowState.existed:
    case rowState.skipped:
    case rowState.unchanged:
      return "unchanged";
    default:
      return undefined;
  }
}
