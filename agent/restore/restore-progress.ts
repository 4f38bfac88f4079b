/** What a restore tells while it runs. */
import type { RestoreIssue } from "./restore-issues.ts";

/** In this order; `verify` only if asked for. */
export type RestorePhase = "plan" | "compare" | "restore" | "verify";

/** Numbers of the phase under way. Totals are complete once `plan` is over. */
export interface RestoreCounts {
  readonly phase: RestorePhase;
  /** Files, folders and other entries. */
  readonly entriesTotal: number;
  /** Those that are finished: restored, left alone, or failed. */
  readonly entriesDone: number;
  readonly bytesTotal: number;
  /** Written; while verifying: read back. */
  readonly bytesDone: number;
  /** Bytes of files that needed no writing. */
  readonly bytesSkipped: number;
  /** A path that was worked on just now, for people; undefined if there is none. */
  readonly current: string | undefined;
}

export type RestoreAction = "restored" | "updated" | "unchanged" | "deleted";

export interface RestoreProgress {
  /** About five times a second, and at the beginning and the end of each phase. */
  readonly counts?: (counts: RestoreCounts) => void;
  /**
   * What is done with each entry (in a dry run: what would be), told when it is decided; a failure later is an issue.
   * The path is raw, below the target. Costs time; leave it out unless somebody wants to know.
   */
  readonly entry?: (action: RestoreAction, path: Uint8Array, sizeBytes: number) => void;
  /** Each issue at once; the summary keeps the first thousand. */
  readonly issue?: (issue: RestoreIssue) => void;
}
