/** Refusals and broken connections of a management server, as errors of the catalogue. */
import { z } from "zod";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";

const problemDocument = z.object({
  code: z.string(),
  title: z.string(),
  detail: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

const certificateCodes =
  /^(?:ERR_TLS_|CERT_|SELF_SIGNED|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|ERR_SSL)/;

/** The error of an answer that is no success; SERVER_ANSWER if it is no problem document. */
export function refusalOf(status: number, text: string): BackstayError {
  const parsed = problemDocument.safeParse(jsonOf(text));
  if (!parsed.success) return new BackstayError("SERVER_ANSWER", { status });
  const { code, title, detail, errors } = parsed.data;
  const places = errors?.map(({ path, message }) => `${path}: ${message}`).join("; ");
  return new BackstayError("SERVER_REFUSED", {
    status,
    code,
    reason: [title, detail, places].filter((part) => part !== undefined && part !== "").join(" "),
  });
}

/** Whatever an exchange can throw: errors of the catalogue and interruptions as they are, the rest as SERVER_*. */
export function remoteFailure(error: unknown, server: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isBackstayError(error)) return error;
  if (error instanceof SyntaxError) return new BackstayError("SERVER_ANSWER", { server }, error);
  const code = codeOf(error);
  if (certificateCodes.test(code))
    return new BackstayError("SERVER_UNTRUSTED", { server, code }, error);
  return new BackstayError(
    "SERVER_UNREACHABLE",
    { server, ...(code === "" ? {} : { code }) },
    error,
  );
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  if ("code" in error && typeof error.code === "string") return error.code;
  return error.cause === undefined ? "" : codeOf(error.cause);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
