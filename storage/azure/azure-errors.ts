/** Turns what Azure's storage and its client library say into errors of the catalogue. */
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import {
  codeOfRefusal,
  errorOfRefusal,
  type RefusalCodes,
  shortLine,
} from "../http/refusal-error.ts";
import { waitMs } from "../http/retry-after.ts";

/** The part of the library's errors that we read. What else they hold, such as the request, may show a signature. */
interface Refusal {
  readonly status: number;
  /** Azure's own word, such as `BlobNotFound`; empty if it gave none. */
  readonly word: string;
  readonly message: string;
  readonly header: (name: string) => string | undefined;
}

/** By Azure's words. What is not here goes by its status. */
const codeOfWord: RefusalCodes = {
  AccountBeingCreated: "STORE_UNAVAILABLE",
  BlobArchived: "STORE_ARCHIVED",
  BlobBeingRehydrated: "STORE_ARCHIVED",
  BlobNotFound: "STORE_NOT_FOUND",
  ContainerBeingDeleted: "STORE_UNAVAILABLE",
  ContainerNotFound: "STORE_MISSING",
  Crc64Mismatch: "STORE_UNAVAILABLE",
  // Somebody else has committed or written the name meanwhile, which drops all blocks that wait.
  InvalidBlobOrBlock: "STORE_UNAVAILABLE",
  InvalidBlockList: "STORE_UNAVAILABLE",
  InvalidRange: "STORE_RANGE",
  Md5Mismatch: "STORE_UNAVAILABLE",
  ResourceNotFound: "STORE_NOT_FOUND",
};

/** What to say in place of Azure's sentence, where that helps nobody. */
const problems: Readonly<Record<string, string>> = {
  BlobArchived: "it lies in the archive tier",
  BlobBeingRehydrated: "it is on its way out of the archive tier, which takes hours",
  BlobImmutableDueToPolicy: "it is locked against changes and removal for a time",
  SnapshotsPresent: "somebody has made snapshots of it, and they have to be removed first",
};

/** The last is said of rules about networks too, and by Azurite of signatures that have ended. */
const accountWords = new Set([
  "AuthenticationFailed",
  "InvalidAuthenticationInfo",
  "AuthorizationFailure",
]);

/** Azure refuses signatures that are older than 15 minutes, and those of the future. */
const clockDifferenceMsMax = 5 * 60_000;

/**
 * The error for a call that failed. Errors of the catalogue get the context; what is no answer and no error of the network
 * is a body that broke.
 */
export function azureError(
  error: unknown,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  if (isBackstayError(error))
    return new BackstayError(error.code, { ...context, ...error.context }, error.cause);
  const refusal = refusalOf(error);
  if (refusal !== undefined) return refusalError(refusal, context, redact);
  const said = error instanceof Error ? error.message : "";
  const problem = /data corruption/i.test(said)
    ? "its answer is not as long as it says"
    : redact(shortText(said));
  return new BackstayError("STORE_UNAVAILABLE", {
    ...context,
    ...(problem === "" ? {} : { problem }),
  });
}

/** Azure's own word for why it refused; undefined if it was no refusal. */
export function azureWord(error: unknown): string | undefined {
  return refusalOf(error)?.word;
}

/** True if the account is no longer taken: it has ended, its key was changed, or it is not one. */
export function isAccountRefused(error: unknown): boolean {
  const refusal = refusalOf(error);
  return refusal !== undefined && isOfAccount(refusal);
}

function isOfAccount({ status, word }: Refusal): boolean {
  return status === 401 || accountWords.has(word);
}

function refusalError(
  refusal: Refusal,
  context: ErrorContext,
  redact: (text: string) => string,
): BackstayError {
  const { status, word, header } = refusal;
  const requestId = header("x-ms-request-id");
  const facts = {
    ...context,
    ...(word === "" ? {} : { refusal: word }),
    ...(requestId === undefined ? {} : { requestId }),
  };
  const differenceMs = clockDifferenceMs(header("date"));
  if (isOfAccount(refusal) && Math.abs(differenceMs) > clockDifferenceMsMax) {
    const minutes = Math.round(Math.abs(differenceMs) / 60_000);
    const problem = `this machine's clock is ${minutes} minutes ${differenceMs > 0 ? "ahead of" : "behind"} Azure's`;
    return new BackstayError("STORE_CLOCK", { ...facts, status, problem });
  }
  // Azurite has no word of its own for content that arrived changed.
  const code = /contentMD5 doesn't match/i.test(refusal.message)
    ? "STORE_UNAVAILABLE"
    : (codeOfWord[word] ?? codeOfRefusal(status, {}));
  const problem = problems[word] ?? redact(shortText(refusal.message));
  const retryAfterMs = numberOf(header("x-ms-retry-after-ms")) ?? waitMs(header("retry-after"));
  return errorOfRefusal(code, status, facts, problem, retryAfterMs);
}

function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  const { statusCode, code, response } = error as Error & {
    readonly statusCode: unknown;
    readonly code?: unknown;
    readonly response?: { readonly headers?: { get(name: string): string | undefined } };
  };
  if (typeof statusCode !== "number") return undefined;
  const header = (name: string): string | undefined => response?.headers?.get(name);
  const word = typeof code === "string" ? code : (header("x-ms-error-code") ?? "");
  return { status: statusCode, word, message: error.message, header };
}

/** How much our clock is ahead; 0 if the server does not say. */
function clockDifferenceMs(date: string | undefined): number {
  const theirsMs = Date.parse(date ?? "");
  return Number.isNaN(theirsMs) ? 0 : Date.now() - theirsMs;
}

function numberOf(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

/** The first line: those after it repeat the request's number and time, or the whole answer. */
function shortText(text: string): string {
  const [first = ""] = text.split("\n");
  return /^\s*[<{]/.test(first) ? "" : shortLine(first);
}
