/** How a run ended, in the words of a report. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { BackupFigures, RunFailure, RunReport } from "../../protocol/run-order.ts";

/** The reason with which a run's signal is aborted: it was asked to end, or nobody waits for it. */
export class EndOfRun extends Error {
  override readonly name = "AbortError";
}

/** Of a backup that left a restore point. `issues`: all that were counted, warnings about the storage too. */
export function reportOfBackup(backup: BackupFigures, issues: number): RunReport {
  return backup.issues === 0
    ? { outcome: "success", exitCode: 0, issues, backup }
    : { outcome: "warning", exitCode: 3, issues, backup };
}

/** Of anything that a run can reject with. */
export function reportOfFailure(error: unknown, issues: number, signal: AbortSignal): RunReport {
  const isAbort = error instanceof Error && error.name === "AbortError";
  if (signal.aborted && (error === signal.reason || isAbort))
    return { outcome: "canceled", exitCode: 130, issues };
  const known = isBackstayError(error) ? error : internal(error);
  return { outcome: "failure", exitCode: known.exitCode, issues, error: failureOf(known) };
}

function failureOf({ code, kind, message, remedy }: BackstayError): RunFailure {
  return { code, kind, message, remedy };
}

function internal(error: unknown): BackstayError {
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BackstayError("INTERNAL", { problem: problem.slice(0, 500) }, error);
}
