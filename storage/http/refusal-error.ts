/** What servers of HTTP have in common when they refuse: what a status means, and an error that says it. */
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";

const textCharactersMax = 300;

/** What a server of one kind means by a status, a name or a word. */
export type RefusalCodes = Readonly<Record<string | number, ErrorCode>>;

const codeOfStatus: RefusalCodes = {
  404: "STORE_NOT_FOUND",
  408: "STORE_UNAVAILABLE",
  416: "STORE_RANGE",
  421: "STORE_UNAVAILABLE",
  425: "STORE_UNAVAILABLE",
  429: "STORE_UNAVAILABLE",
  501: "STORE_DENIED",
};

/** What a status means whatever was asked: those below 500 that are not known are refusals, all the rest may pass. */
export function codeOfRefusal(status: number, own: RefusalCodes): ErrorCode {
  const code = own[status] ?? codeOfStatus[status];
  return code ?? (status < 500 ? "STORE_DENIED" : "STORE_UNAVAILABLE");
}

/**
 * The error for an answer of `status` that is no success. `problem` is what the server says, without secrets;
 * `retryAfterMs` how long it wants to be left alone.
 */
export function errorOfRefusal(
  code: ErrorCode,
  status: number,
  context: ErrorContext,
  problem: string,
  retryAfterMs: number | undefined,
): BackstayError {
  const passes = code === "STORE_UNAVAILABLE" && retryAfterMs !== undefined;
  return new BackstayError(code, {
    ...context,
    status,
    ...(problem === "" ? {} : { problem }),
    ...(passes ? { retryAfterMs } : {}),
  });
}

/** Text of a server as one short line. */
export function shortLine(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length <= textCharactersMax ? line : `${line.slice(0, textCharactersMax)}…`;
}
