/** How long the server asks to wait before the next request. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { ServerAnswer } from "./server-calls.ts";

/** What a failed request was told, ms; undefined if nothing. */
export function retryAfterMs(error: unknown): number | undefined {
  if (!isBackstayError(error)) return undefined;
  return millisecondsOf(Number(error.context["retryAfterSeconds"]));
}

/** What a good answer tells, ms; undefined if nothing. */
export function retryAfterOf(answer: ServerAnswer): number | undefined {
  return millisecondsOf(Number(answer.header("retry-after")));
}

function millisecondsOf(seconds: number): number | undefined {
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
}
