/** Turns what an S3 server says into errors of the catalogue. */
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import { networkError } from "../http/network-error.ts";
import {
  codeOfRefusal,
  errorOfRefusal,
  type RefusalCodes,
  shortLine,
} from "../http/refusal-error.ts";
import { waitMs } from "../http/retry-after.ts";

const codeOfName: RefusalCodes = {
  NoSuchKey: "STORE_NOT_FOUND",
  NoSuchVersion: "STORE_NOT_FOUND",
  NoSuchBucket: "STORE_MISSING",
  PreconditionFailed: "STORE_EXISTS",
  InvalidRange: "STORE_RANGE",
  InvalidObjectState: "STORE_ARCHIVED",
  RequestTimeTooSkewed: "STORE_CLOCK",
  QuotaExceeded: "STORE_FULL",
  XMinioStorageFull: "STORE_FULL",
  XMinioAdminBucketQuotaExceeded: "STORE_FULL",
  NotImplemented: "STORE_DENIED",
  // Of all others below 500 these may pass.
  BadDigest: "STORE_UNAVAILABLE",
  BandwidthLimitExceeded: "STORE_UNAVAILABLE",
  ConditionalRequestConflict: "STORE_UNAVAILABLE",
  IncompleteBody: "STORE_UNAVAILABLE",
  NoSuchUpload: "STORE_UNAVAILABLE",
  OperationAborted: "STORE_UNAVAILABLE",
  RequestTimeout: "STORE_UNAVAILABLE",
  SlowDown: "STORE_UNAVAILABLE",
  Throttling: "STORE_UNAVAILABLE",
  ThrottlingException: "STORE_UNAVAILABLE",
  TooManyRequests: "STORE_UNAVAILABLE",
  XAmzContentSHA256Mismatch: "STORE_UNAVAILABLE",
};

const codeOfStatus: RefusalCodes = {
  409: "STORE_UNAVAILABLE",
  412: "STORE_EXISTS",
  507: "STORE_FULL",
};

/** Names of refusals that another account, or the same one's new session, may not meet. */
const accountNames = new Set([
  "ExpiredToken",
  "ExpiredTokenException",
  "InvalidAccessKeyId",
  "InvalidClientTokenId",
  "InvalidToken",
  "RequestExpired",
  "SignatureDoesNotMatch",
  "TokenRefreshRequired",
  "UnrecognizedClientException",
]);

/** An answer that is no success, as the client tells of it. */
export interface S3Refusal {
  readonly status: number;
  /** `NoSuchKey`; what a server says in a HEAD has none: `` then. */
  readonly name: string;
  readonly text: string;
  header(name: string): string | undefined;
  /** The client has just learnt that our clock is wrong. */
  readonly clockCorrected: boolean;
}

/** The refusal that an error of the client tells of; undefined if it tells of something else. */
export function refusalOf(error: unknown): S3Refusal | undefined {
  if (!(error instanceof Error) || !("$metadata" in error)) return undefined;
  const { $metadata, $response } = error as {
    readonly $metadata: { readonly httpStatusCode?: number; readonly clockSkewCorrected?: boolean };
    readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  };
  const status = $metadata.httpStatusCode;
  if (status === undefined) return undefined;
  const isNamed = /^[A-Z]\w+$/.test(error.name) && !bareNames.has(error.name);
  return {
    status,
    name: isNamed ? error.name : "",
    text: error.message,
    header: (name) => $response?.headers?.[name],
    clockCorrected: $metadata.clockSkewCorrected === true,
  };
}

/** What the client makes of an answer without a body. */
const bareNames = new Set([
  "BadRequest",
  "Error",
  "Forbidden",
  "NotFound",
  "Unknown",
  "UnknownError",
]);

/** True if the account was refused, and not what it asked for. */
export function isAccountRefusal({ name }: S3Refusal): boolean {
  return accountNames.has(name);
}

/** The region that the bucket is in, if the server says that it is another than was asked. */
export function regionToldBy(refusal: S3Refusal): string | undefined {
  const { status, text } = refusal;
  if (status !== 400 && (status < 300 || status > 399)) return undefined;
  return refusal.header("x-amz-bucket-region") ?? /expecting '([\w-]+)'/.exec(text)?.[1];
}

/**
 * The error for whatever a request failed with; errors of the catalogue and bugs pass as they are. `redact` takes secrets
 * out of what the server says.
 */
export function s3Error(
  error: unknown,
  context: ErrorContext,
  redact: (text: string) => string,
): unknown {
  if (isBackstayError(error)) return error;
  const refusal = refusalOf(error);
  if (refusal === undefined) return clientError(error, context);
  const { status, name } = refusal;
  const code = codeOfName[name] ?? codeOfRefusal(status, codeOfStatus);
  const facts = name === "" ? context : { ...context, said: name };
  const retryAfterMs = waitMs(refusal.header("retry-after"));
  return errorOfRefusal(code, status, facts, redact(shortText(refusal)), retryAfterMs);
}

/** What came to no answer, or to none that can be read. */
function clientError(error: unknown, context: ErrorContext): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === "CredentialsProviderError" || error.name === "TokenProviderError") {
    const problem = "no account was given, and this machine has none of its own";
    return new BackstayError("STORE_DENIED", { ...context, problem }, error);
  }
  if (/deserializ|parse/i.test(error.message)) {
    const problem = "its answer is none of an S3 server";
    return new BackstayError("STORE_UNAVAILABLE", { ...context, problem }, error);
  }
  return networkError(error, context);
}

function shortText({ name, text }: S3Refusal): string {
  const line = shortLine(text);
  return line === name || /^(?:UnknownError|\d{3})$/.test(line) ? "" : line;
}
