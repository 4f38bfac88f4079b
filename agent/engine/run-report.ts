/** How a run ended, in the words of a report. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type {
  BackupFigures,
  CheckFigures,
  RestoreFigures,
  RunFailure,
  RunReport,
} from "../../protocol/run-order.ts";

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

/** Of a restore that went to its end: a failure if anything of the snapshot is missing in the target. */
export function reportOfRestore(restore: RestoreFigures, issues: number): RunReport {
  const { errors, warnings } = restore;
  if (errors === 0)
    return { outcome: warnings === 0 ? "success" : "warning", exitCode: 0, issues, restore };
  const error = new BackstayError("RESTORE_INCOMPLETE", { errors });
  return { ...failed(error, issues), restore };
}

/** Of a check that went to its end: a failure if it found damage. */
export function reportOfCheck(check: CheckFigures, issues: number): RunReport {
  const { problems } = check;
  if (problems === 0) return { outcome: "success", exitCode: 0, issues, check };
  return { ...failed(new BackstayError("CHECK_FAILED", { problems }), issues), check };
}

/** Of anything that a run can reject with. */
export function reportOfFailure(error: unknown, issues: number, signal: AbortSignal): RunReport {
  const isAbort = error instanceof Error && error.name === "AbortError";
  if (signal.aborted && (error === signal.reason || isAbort))
    return { outcome: "canceled", exitCode: 130, issues };
  return failed(isBackstayError(error) ? error : internal(error), issues);
}

function failed(error: BackstayError, issues: number): RunReport {
  return { outcome: "failure", exitCode: error.exitCode, issues, error: failureOf(error) };
}

function failureOf({ code, kind, message, remedy }: BackstayError): RunFailure {
  return { code, kind, message, remedy };
}

function internal(error: unknown): BackstayError {
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BackstayError("INTERNAL", { problem: problem.slice(0, 500) }, error);
}
