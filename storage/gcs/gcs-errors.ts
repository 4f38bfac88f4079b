/** Turns what Google's storage says into errors of the catalogue. */
import type { BackstayError, ErrorContext } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import type { Refusal } from "../http/http-transport.ts";
import {
  codeOfRefusal,
  errorOfRefusal,
  type RefusalCodes,
  shortLine,
} from "../http/refusal-error.ts";
import { waitMs } from "../http/retry-after.ts";

/** What the document of a refusal says. */
interface Said {
  /** `rateLimitExceeded`, `notFound`, …; empty if there is none. */
  readonly reason: string;
  readonly message: string;
}

/** Reasons that a 403 has for what passes: too many requests, in a time or at once. */
const passingReasons = new Set(["rateLimitExceeded", "userRateLimitExceeded", "backendError"]);

const codeOfStatus: RefusalCodes = {
  409: "STORE_UNAVAILABLE",
  410: "STORE_UNAVAILABLE",
  412: "STORE_EXISTS",
  499: "STORE_UNAVAILABLE",
};

/** The error for an answer that is no success. `redact` takes secrets out of what the storage says. */
export function refusalError(
  refusal: Refusal,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  const { status, retryAfter, text } = refusal;
  const said = saidIn(text);
  const { reason } = said;
  const code = codeOf(status, said);
  const problem = redact(problemOf(status, said));
  const facts = reason === "" ? context : { ...context, reason };
  return errorOfRefusal(code, status, facts, problem, waitMs(retryAfter));
}

function codeOf(status: number, said: Said): ErrorCode {
  if (status === 404 && /bucket does not exist/i.test(said.message)) return "STORE_MISSING";
  if (status === 403 && passingReasons.has(said.reason)) return "STORE_UNAVAILABLE";
  // Bytes that were changed on the way: they are sent again.
  if (status === 400 && /doesn't match calculated|does not match calculated/i.test(said.message))
    return "STORE_UNAVAILABLE";
  return codeOfRefusal(status, codeOfStatus);
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
