/** Turns what a REST server says into errors of the catalogue. */
import type { BackstayError, ErrorContext } from "../../protocol/backstay-error.ts";
import type { Refusal } from "../http/http-transport.ts";
import {
  codeOfRefusal,
  errorOfRefusal,
  type RefusalCodes,
  shortLine,
} from "../http/refusal-error.ts";
import { waitMs } from "../http/retry-after.ts";

const codeOfStatus: RefusalCodes = { 413: "STORE_FULL", 501: "STORE_LACKS", 507: "STORE_FULL" };

/** The error for an answer that is no success. `redact` takes secrets out of what the server says. */
export function refusalError(
  refusal: Refusal,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  const { status, retryAfter, text } = refusal;
  const code = codeOfRefusal(status, codeOfStatus);
  // Of a problem document what it says to people. Pages of a proxy are not shown.
  const said = problemText(text) ?? (/^\s*</.test(text) ? "" : text);
  return errorOfRefusal(code, status, context, redact(shortLine(said)), waitMs(retryAfter));
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
