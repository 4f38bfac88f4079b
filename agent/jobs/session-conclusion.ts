/** What becomes of a session: from its engine's report, from what ended it, and from its scripts. Pure. */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { RunReport } from "../../protocol/run-order.ts";
import type {
  EndRequest,
  ScriptResult,
  SessionFailure,
  SessionOutcome,
  SessionRecord,
} from "../../protocol/session-record.ts";
import type { EngineEnd } from "./engine-run.ts";
import type { JobScript } from "./jobs.ts";

export type Conclusion = Pick<
  SessionRecord,
  "figures" | "restored" | "checked" | "traffic" | "failure" | "endedBy"
> & {
  readonly outcome: SessionOutcome;
  readonly exitCode: number;
  readonly issues: number;
};

const endedExitCode = 130;

/** Of a session whose engine has ended, `issues` as they were counted here. */
export function concluded(
  end: EngineEnd,
  request: EndRequest | undefined,
  issues: number,
): Conclusion {
  const traffic = end.report?.traffic;
  const done = endOf(end, request, issues);
  return traffic === undefined ? done : { ...done, traffic };
}

function endOf(end: EngineEnd, request: EndRequest | undefined, issues: number): Conclusion {
  const { report, failure, lastWords } = end;
  const counted = Math.max(issues, report?.issues ?? 0);
  if (report?.outcome === "success" || report?.outcome === "warning") {
    const { outcome, exitCode } = report;
    return { outcome, exitCode, ...figuresOf(report), issues: counted };
  }
  if (failure !== undefined && request === undefined) return failed(failure, counted, lastWords);
  if (report?.outcome === "failure") return reportedFailure(report, counted, lastWords);
  if (request === undefined) return interrupted("its engine was ended from outside", counted);
  return {
    outcome: request.by === "shutdown" ? "interrupted" : "canceled",
    exitCode: endedExitCode,
    endedBy: request,
    issues: counted,
  };
}

/** Of a session that failed with an error. */
export function failed(error: unknown, issues: number, lastWords = ""): Conclusion {
  const known = isBackstayError(error) ? error : internal(error);
  return {
    outcome: "failure",
    exitCode: known.exitCode,
    failure: failureOf(known, lastWords),
    issues,
  };
}

/** Of a session that another process has begun. `problem` says what became of that one. */
export function interrupted(problem: string, issues: number): Conclusion {
  return {
    outcome: "interrupted",
    exitCode: endedExitCode,
    failure: failureOf(new BackstayError("SESSION_INTERRUPTED", { problem }), ""),
    issues,
  };
}

/** The same with what a script adds: a required one that failed makes a failure, another one a warning. */
export function withScript(
  done: Conclusion,
  result: ScriptResult | undefined,
  script: JobScript | undefined,
): Conclusion {
  if (result === undefined || script === undefined) return done;
  if (result.outcome === "done" || result.outcome === "canceled") return done;
  if (done.outcome !== "success" && done.outcome !== "warning") return done;
  if (!script.required) return { ...done, outcome: "warning" };
  const { name, exitCode } = result;
  const facts = exitCode === undefined ? { problem: result.outcome } : { exitCode };
  const error = new BackstayError("SCRIPT_FAILED", { script: name, ...facts });
  return { ...done, ...failed(error, done.issues) };
}

function reportedFailure(report: RunReport, issues: number, lastWords: string): Conclusion {
  const { exitCode, error } = report;
  if (error === undefined)
    return failed(new BackstayError("ENGINE_DIED", { exitCode }), issues, lastWords);
  // Somebody has decided so: this machine has not failed.
  if (error.code === "REPOSITORY_MAINTENANCE" || error.code === "REPOSITORY_SEALED")
    return {
      outcome: "canceled",
      exitCode,
      endedBy: { by: "repository", text: error.message },
      issues,
    };
  const failure = lastWords === "" ? error : { ...error, lastWords };
  return { outcome: "failure", exitCode, failure, ...figuresOf(report), issues };
}

function figuresOf({ backup, restore, check }: RunReport): Partial<Conclusion> {
  return {
    ...(backup !== undefined && { figures: backup }),
    ...(restore !== undefined && { restored: restore }),
    ...(check !== undefined && { checked: check }),
  };
}

function failureOf(error: BackstayError, lastWords: string): SessionFailure {
  const { code, kind, message, remedy } = error;
  return { code, kind, message, remedy, ...(lastWords === "" ? {} : { lastWords }) };
}

function internal(error: unknown): BackstayError {
  const problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new BackstayError("INTERNAL", { problem: problem.slice(0, 500) }, error);
}
