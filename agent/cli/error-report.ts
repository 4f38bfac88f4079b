/** Tells people and programs why a command failed. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { errorCatalog } from "../../protocol/error-catalog.ts";
import { exitCodes } from "./command.ts";
import { Interruption, ReaderGone } from "./interruption.ts";
import { printedMessage } from "./printed-text.ts";
import type { Screen } from "./screen.ts";

/** A failure as it is reported. */
export interface FailureReport {
  readonly exitCode: number;
  /** One line: what happened, and the facts. Empty if there is nobody to tell. */
  readonly message: string;
  /** What to do; empty if nothing needs doing. */
  readonly remedy: string;
  /** Where the program was, for failures that it does not know; empty otherwise. */
  readonly trace: string;
  /** A code of the catalogue, INTERRUPTED or READER_GONE. */
  readonly code: string;
}

/** Describes anything that a command can throw. */
export function describeFailure(error: unknown, signal: AbortSignal): FailureReport {
  if (isBackstayError(error))
    return {
      exitCode: error.exitCode,
      message: error.message,
      remedy: error.remedy,
      trace: error.kind === "bug" ? traceOf(error) : "",
      code: error.code,
    };
  const reason: unknown = signal.reason;
  if (signal.aborted && (error === reason || isAbort(error))) {
    const quiet = { remedy: "", trace: "" };
    if (reason instanceof Interruption)
      return {
        ...quiet,
        exitCode: exitCodes.interrupted,
        message: `Interrupted (${reason.systemSignal}).`,
        code: "INTERRUPTED",
      };
    if (reason instanceof ReaderGone)
      return { ...quiet, exitCode: exitCodes.failed, message: "", code: "READER_GONE" };
  }
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return {
    exitCode: errorCatalog.INTERNAL.exitCode,
    message: `${errorCatalog.INTERNAL.title} (${detail})`,
    remedy: errorCatalog.INTERNAL.remedy,
    trace: traceOf(error),
    code: "INTERNAL",
  };
}

/** Shows a failure on stderr: as text, or as restic's exit_error message. */
export function showFailure(screen: Screen, report: FailureReport, json: boolean): void {
  if (report.message === "") return;
  if (json) {
    const { exitCode: code, message, remedy } = report;
    const text = remedy === "" ? message : `${message} ${remedy}`;
    screen.note(
      JSON.stringify({ message_type: "exit_error", code, message: text, error_code: report.code }),
    );
    return;
  }
  screen.note(`error: ${printedMessage(report.message)}`);
  if (report.remedy !== "") screen.note(`  ${report.remedy}`);
  for (const line of report.trace.split("\n").filter((text) => text !== ""))
    screen.note(`  ${printedMessage(line.trim())}`);
}

/** One line for a failure that does not end the command. */
export function failureLine(error: unknown): string {
  return printedMessage(error instanceof Error ? error.message : String(error));
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** Functions and files only; the message stands elsewhere. */
function traceOf(error: unknown): string {
  if (!(error instanceof Error) || error.stack === undefined) return "";
  const lines = error.stack.split("\n").filter((line) => line.trimStart().startsWith("at "));
  return lines.slice(0, 12).join("\n");
}
