/** The server's log: one line of JSON for each thing that happened, to standard output; the system keeps and rotates it. */
import { type DestinationStream, type Logger, pino } from "pino";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { loggedFields, loggedText } from "./log-fields.ts";
import type { ServerLog } from "./server-ground.ts";

export type LogLevel = "debug" | "info" | "warning" | "error" | "silent";

type Fields = Readonly<Record<string, unknown>>;

export interface JsonLogOptions {
  readonly now: () => number;
  readonly level: LogLevel;
  /** Where lines go, each with its line feed. */
  readonly write: (line: string) => void;
}

/** A log that writes nothing but what log-fields.ts allows. */
export function openJsonLog({ now, level, write }: JsonLogOptions): ServerLog {
  const destination: DestinationStream = { write };
  const logger: Logger = pino(
    {
      level: level === "warning" ? "warn" : level,
      base: null,
      messageKey: "text",
      timestamp: () => `,"time":${now()}`,
      formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
    },
    destination,
  );
  return {
    debug: (text, fields = {}) => logger.debug(loggedFields(fields), loggedText(text)),
    info: (text, fields = {}) => logger.info(loggedFields(fields), loggedText(text)),
    warning: (text, fields = {}) => logger.warn(loggedFields(fields), loggedText(text)),
    failure: (text, error, fields = {}) =>
      logger.error(loggedFields({ ...fields, ...failureFields(error) }), loggedText(text)),
  };
}

/** What a log says about an error; the trace of one that nobody foresaw. */
function failureFields(error: unknown): Fields {
  if (isBackstayError(error)) {
    const cause = error.cause instanceof Error ? `: ${messageOf(error.cause)}` : "";
    return {
      code: error.code,
      problem: `${error.message}${cause}`,
      ...(error.kind === "bug" && { stack: traceOf(error) }),
    };
  }
  if (!(error instanceof Error)) return { problem: String(error) };
  const { code } = error as { code?: unknown };
  return {
    problem: messageOf(error),
    stack: traceOf(error),
    ...(typeof code === "string" && { code }),
  };
}

/** Errors of parsing quote what they could not read, which may be anything. */
function messageOf(error: Error): string {
  return error instanceof SyntaxError ? error.name : error.message;
}

function traceOf(error: Error): string {
  const lines = (error.stack ?? "").split("\n");
  return [error.name, ...lines.filter((line) => /^\s+at /.test(line))].join("\n");
}
