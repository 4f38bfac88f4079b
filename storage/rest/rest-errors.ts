/** Turns what a REST server, a proxy or the network say into errors of the catalogue. */
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";

/** The part of an answer that errors are made of. */
export interface Refusal {
  readonly status: number;
  /** Retry-After, if there is one. */
  readonly retryAfter: string | undefined;
  /** The beginning of the answer's body. */
  readonly text: string;
}

const textCharactersMax = 200;

/** Statuses that mean the same whatever was asked; other ones below 500 are refusals, all the rest may pass. */
const codeOfStatus: Readonly<Record<number, ErrorCode>> = {
  404: "STORE_NOT_FOUND",
  408: "STORE_UNAVAILABLE",
  413: "STORE_FULL",
  416: "STORE_RANGE",
  421: "STORE_UNAVAILABLE",
  425: "STORE_UNAVAILABLE",
  429: "STORE_UNAVAILABLE",
  501: "STORE_DENIED",
  507: "STORE_FULL",
};

/** The error for an answer that is no success. `redact` takes secrets out of what the server says. */
export function refusalError(
  refusal: Refusal,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  const { status, retryAfter } = refusal;
  const code = codeOfStatus[status] ?? (status < 500 ? "STORE_DENIED" : "STORE_UNAVAILABLE");
  const problem = redact(shortText(refusal.text));
  const retryAfterMs = code === "STORE_UNAVAILABLE" ? waitMs(retryAfter) : undefined;
  return new BackstayError(code, {
    ...context,
    status,
    ...(problem === "" ? {} : { problem }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "it broke the connection",
  EPIPE: "it broke the connection",
  UND_ERR_SOCKET: "it broke the connection",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "its answer is not as long as it says",
  ETIMEDOUT: "it does not answer",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer",
  UND_ERR_HEADERS_TIMEOUT: "it takes or sends nothing any more",
  UND_ERR_BODY_TIMEOUT: "it sends nothing any more",
  ENOTFOUND: "the name is not known",
  EAI_AGAIN: "names can't be resolved now",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no network",
};

const distrust =
  /^(?:CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|ERR_TLS_CERT_|UND_ERR_PRX_TLS)/;

/**
 * The error for a call that did not come to an answer: STORE_UNTRUSTED if it was the wrong server, else
 * STORE_UNAVAILABLE. Errors of the catalogue, and those without a system's code (bugs), pass as they are.
 */
export function networkError(error: unknown, context: ErrorContext): unknown {
  if (isBackstayError(error) || !(error instanceof Error)) return error;
  // Without the cause: it holds what came, and a server may repeat what it was sent.
  if (error.name === "HTTPParserError")
    return new BackstayError("STORE_UNAVAILABLE", { ...context, problem: "it speaks no HTTP" });
  const system = "code" in error && typeof error.code === "string" ? error.code : undefined;
  if (system === undefined) return error;
  if (distrust.test(system))
    return new BackstayError("STORE_UNTRUSTED", { ...context, problem: error.message }, error);
  if (/\(407\)/.test(error.message)) {
    const problem = "the proxy wants a user and a password";
    return new BackstayError("STORE_DENIED", { ...context, problem }, error);
  }
  const [, proxyStatus] = /^Proxy response \((\d{3})\)/.exec(error.message) ?? [];
  const problem =
    proxyStatus === undefined ? words[system] : `the proxy opens no way (${proxyStatus})`;
  return new BackstayError(
    "STORE_UNAVAILABLE",
    { ...context, system, ...(problem === undefined ? {} : { problem }) },
    error,
  );
}

/** Retry-After: seconds, or a date. */
function waitMs(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const untilMs = Date.parse(value);
  return Number.isNaN(untilMs) ? undefined : Math.max(0, untilMs - Date.now());
}

/** One line; of a problem document what it says to people. Pages of a proxy are not shown. */
function shortText(text: string): string {
  const said = problemText(text) ?? (/^\s*</.test(text) ? "" : text);
  const line = said.replaceAll(/[\s\p{C}]+/gu, " ").trim();
  return line.length <= textCharactersMax ? line : `${line.slice(0, textCharactersMax)}…`;
}

function problemText(text: string): string | undefined {
  try {
    const { title, detail } = JSON.parse(text) as { title?: unknown; detail?: unknown };
    const parts = [title, detail].filter((part) => typeof part === "string");
    return parts.length === 0 ? undefined : parts.join(" ");
  } catch {
    return undefined;
  }
}
