/** What the parts of a restore worker share: one per thread. */
import type { TargetFiles } from "../../../platform/ports/target-files.ts";
import type { OverwriteRule } from "../../../protocol/run-order.ts";
import type { BlobOpener } from "../../repository/blob/blob-opener.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";
import type { PartSlots } from "./part-slots.ts";
import type { TargetDirectories } from "./target-directories.ts";
import type { WorkIssues } from "./work-issues.ts";

export interface WorkSettings {
  /** See docs/restore.md. */
  readonly overwrite: OverwriteRule;
  /** Nothing is changed; states tell what would be. */
  readonly dryRun: boolean;
  /** Owners are restored. */
  readonly ownership: boolean;
  /** A folder that is in the way of something else is removed with all that is in it. */
  readonly clearFolders: boolean;
}

export interface WorkContext {
  readonly files: TargetFiles;
  readonly plan: RestorePlan;
  readonly blobs: BlobTable;
  readonly opener: BlobOpener;
  /** For every second blob, of which two are hashed side by side. */
  readonly secondOpener: BlobOpener;
  readonly directories: TargetDirectories;
  readonly issues: WorkIssues;
  readonly settings: WorkSettings;
  readonly counters: WorkCounters;
  slots: PartSlots;
  /** True once the restore is to stop. */
  readonly isCancelled: () => boolean;
}

/** Places in a worker's counters. */
const counterAt = { entries: 0, bytes: 1, skippedBytes: 2, row: 3 } as const;

/** Bytes of the shared memory of one worker's counters. */
export const counterBytes = 32;

/** Counts what a worker did; the main thread reads along. */
export class WorkCounters {
  readonly #values: Float64Array;

  constructor(memory: SharedArrayBuffer, worker: number) {
    this.#values = new Float64Array(memory, worker * counterBytes, counterBytes / 8);
  }

  /** Entries that are finished, whatever came of them. */
  get entries(): number {
    return this.#values[counterAt.entries];
  }

  get bytes(): number {
    return this.#values[counterAt.bytes];
  }

  get skippedBytes(): number {
    return this.#values[counterAt.skippedBytes];
  }

  /** The row worked on last; 0 at first. */
  get row(): number {
    return this.#values[counterAt.row];
  }

  addEntry(row: number): void {
    this.#values[counterAt.entries] += 1;
    this.#values[counterAt.row] = row;
  }

  addBytes(bytes: number): void {
    this.#values[counterAt.bytes] += bytes;
  }

  addSkippedBytes(bytes: number): void {
    this.#values[counterAt.skippedBytes] += bytes;
  }
}
