/** Turns what Google's storage says into errors of the catalogue. */
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import type { Refusal } from "../http/http-transport.ts";
import { waitMs } from "../http/retry-after.ts";

const textCharactersMax = 300;

/** What the document of a refusal says. */
interface Said {
  /** `rateLimitExceeded`, `notFound`, …; empty if there is none. */
  readonly reason: string;
  readonly message: string;
}

/** Reasons that a 403 has for what passes: too many requests, in a time or at once. */
const passingReasons = new Set(["rateLimitExceeded", "userRateLimitExceeded", "backendError"]);

/** Statuses that mean the same whatever was asked; other ones below 500 are refusals, all the rest may pass. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  404: "STORE_NOT_FOUND",
  408: "STORE_UNAVAILABLE",
  409: "STORE_UNAVAILABLE",
  410: "STORE_UNAVAILABLE",
  412: "STORE_EXISTS",
  416: "STORE_RANGE",
  421: "STORE_UNAVAILABLE",
  425: "STORE_UNAVAILABLE",
  429: "STORE_UNAVAILABLE",
  499: "STORE_UNAVAILABLE",
  501: "STORE_DENIED",
};

/** The error for an answer that is no success. `redact` takes secrets out of what the storage says. */
export function refusalError(
  refusal: Refusal,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  const { status, retryAfter } = refusal;
  const said = saidIn(refusal.text);
  const code = codeOf(status, said);
  const problem = redact(problemOf(status, said));
  const retryAfterMs = code === "STORE_UNAVAILABLE" ? waitMs(retryAfter) : undefined;
  return new BackstayError(code, {
    ...context,
    status,
    ...(said.reason === "" ? {} : { reason: said.reason }),
    ...(problem === "" ? {} : { problem }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function codeOf(status: number, said: Said): ErrorCode {
  if (status === 404 && /bucket does not exist/i.test(said.message)) return "STORE_MISSING";
  if (status === 403 && passingReasons.has(said.reason)) return "STORE_UNAVAILABLE";
  // Bytes that were changed on the way: they are sent again.
  if (status === 400 && /doesn't match calculated|does not match calculated/i.test(said.message))
    return "STORE_UNAVAILABLE";
  return codeOfStatus[status] ?? (status < 500 ? "STORE_DENIED" : "STORE_UNAVAILABLE");
}

function problemOf(status: number, { reason, message }: Said): string {
  if (reason === "retentionPolicyNotMet") return `it is locked: ${message}`;
  if (reason === "objectUnderActiveHold") return `somebody holds it: ${message}`;
  if (status === 401) return message === "" ? "the token has ended or is none" : message;
  return message;
}

/** The JSON document of an error; of other texts the first line. Pages of a proxy are not shown. */
function saidIn(text: string): Said {
  try {
    const { error } = JSON.parse(text) as { error?: { message?: unknown; errors?: unknown } };
    const [first] = Array.isArray(error?.errors) ? (error.errors as unknown[]) : [];
    const reason = (first as { reason?: unknown } | undefined)?.reason;
    return {
      reason: typeof reason === "string" ? shortLine(reason) : "",
      message: typeof error?.message === "string" ? shortLine(error.message) : "",
    };
  } catch {
    return { reason: "", message: /^\s*[<{]/.test(text) ? "" : shortLine(text) };
  }
}

function shortLine(text: string): string {
  const line = text.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length <= textCharactersMax ? line : `${line.slice(0, textCharactersMax)}…`;
}
