/**
 * When two machines use one identity: a run of the agent is heard of again after a later one, and then the later one
 * again. A restart, or a machine that was set back to a snapshot, never does that. Pure.
 */
import { areTwoMachines, type Fingerprint } from "../../protocol/control/machine-fingerprint.ts";

/** A start of an agent, as the server has heard of it. Times are ms since 1970. */
export interface SeenRun {
  readonly runId: string;
  readonly fingerprint: Fingerprint;
  readonly address: string;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** When it was heard of again after a later run had been. */
  readonly resumedMs: number | null;
}

/** What is kept of a conflict. */
export interface ConflictEvidence {
  readonly runs: readonly (SeenRun & {
    /** True if its machine is not the one that was enrolled. */
    readonly isForeign: boolean;
  })[];
  /** True if it is known which of the machines was enrolled: the others are refused. */
  readonly isDecided: boolean;
}

/** Requests of an agent that has ended may arrive so late, ms. */
export const lateRequestMs = 30_000;

/** The runs of one agent that are heard of again after a later one only now: `resumedMs` is to be set for them. */
export function resumedRuns(runs: readonly SeenRun[]): SeenRun[] {
  return runs.filter(
    (run) =>
      run.resumedMs === null &&
      runs.some(
        (later) =>
          later.firstSeenMs > run.firstSeenMs && run.lastSeenMs > later.firstSeenMs + lateRequestMs,
      ),
  );
}

/** The evidence of two machines in the runs of one agent; undefined if there is none. `enrolled` is its fingerprint. */
export function conflictIn(
  runs: readonly SeenRun[],
  enrolled: Fingerprint,
): ConflictEvidence | undefined {
  const involved = new Set<SeenRun>();
  for (const run of runs)
    for (const later of runs) {
      const takeTurns =
        run.resumedMs !== null &&
        later.firstSeenMs > run.firstSeenMs &&
        later.firstSeenMs < run.resumedMs &&
        later.lastSeenMs > run.resumedMs;
      if (takeTurns) involved.add(run).add(later);
    }
  if (involved.size === 0) return undefined;
  const judged = [...involved].map((run) => ({
    ...run,
    isForeign: areTwoMachines(enrolled, run.fingerprint),
  }));
  const foreign = judged.filter(({ isForeign }) => isForeign).length;
  return { runs: judged, isDecided: foreign > 0 && foreign < judged.length };
}

export function evidenceOf(json: string): ConflictEvidence {
  return JSON.parse(json) as ConflictEvidence;
}
