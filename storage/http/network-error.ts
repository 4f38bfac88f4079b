/** Turns what the network and proxies say into errors of the catalogue. */
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";

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
