/** Turns what a REST server says into errors of the catalogue. */
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import type { Refusal } from "../http/http-transport.ts";
import { waitMs } from "../http/retry-after.ts";

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
