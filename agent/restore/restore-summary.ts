/** The outcome of a restore, counted from the states of its plan. */
import { type RestorePlan, rowFlag, rowState } from "./plan/restore-plan.ts";
import type { RestoreIssue } from "./restore-issues.ts";

export interface RestoreSummary {
  /** Entries of the snapshot that were wanted, folders included. */
  readonly entriesTotal: number;
  /** Made or changed. */
  readonly entriesRestored: number;
  /** Found as they should be. */
  readonly entriesUnchanged: number;
  /** Left as they were, by the overwrite rule. */
  readonly entriesSkipped: number;
  /** Not restored, or not whole. */
  readonly entriesFailed: number;
  /** Removed because the snapshot does not have them; a folder counts once. */
  readonly entriesDeleted: number;
  /** Bytes of all wanted files. */
  readonly bytesTotal: number;
  /** Bytes of file content written, in a dry run those that would be; holes count as written. */
  readonly bytesRestored: number;
  /** Bytes of files that needed no writing. */
  readonly bytesSkipped: number;
  readonly filesVerified: number;
  readonly errors: number;
  readonly warnings: number;
  /** The first thousand. */
  readonly issues: readonly RestoreIssue[];
}

/** Counts of one plan's states. */
export interface StateCounts {
  restored: number;
  unchanged: number;
  skipped: number;
  failed: number;
}

/** Counts wanted entries by what became of them, in a dry run by what would. */
export function countStates(plan: RestorePlan, dryRun: boolean): StateCounts {
  const counts: StateCounts = { restored: 0, unchanged: 0, skipped: 0, failed: 0 };
  for (let row = 1; row < plan.rows; row += 1) {
    if (!plan.hasFlag(row, rowFlag.selected)) continue;
    counts[outcomeOf(plan.stateOf(row), dryRun)] += 1;
  }
  return counts;
}

function outcomeOf(state: number, dryRun: boolean): keyof StateCounts {
  switch (state) {
    case rowState.created:
    case rowState.done:
      return "restored";
    case rowState.existed:
    case rowState.unchanged:
      return "unchanged";
    case rowState.skipped:
      return "skipped";
    case rowState.pending:
    case rowState.update:
    case rowState.replace:
      return dryRun ? "restored" : "failed";
    default:
      return "failed";
  }
}
