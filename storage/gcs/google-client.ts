/**
 * Clients of Google's library that get tokens, over our own requests: our proxies, authorities and limits, nothing of the
 * process's environment, nothing tried again. Loads the library when it is asked for.
 */
import { readFile } from "node:fs/promises";
import type { AuthClient } from "google-auth-library";
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { HttpTransport } from "../http/http-transport.ts";
import type { GcsEnvironment, GcsProof } from "./gcs-address.ts";

/** Reading and writing of objects, and looking at buckets. */
const scope = "https://www.googleapis.com/auth/devstorage.full_control";
const answerBytesMax = 1024 * 1024;
const silenceMs = 30_000;
const never = new AbortController().signal;

/** What a credential document may be; any other could have programs started, or make us send tokens to strangers. */
const documentTypes = new Set(["service_account", "authorized_user", "external_account"]);

/**
 * A client for the account that `proof` names. USAGE if its file or document can't be used; nothing of the document is
 * in the error. What its requests are rejected with is translated by `tokenError`.
 */
export async function googleClient(
  proof: Exclude<GcsProof, { kind: "token" | "none" }>,
  environment: GcsEnvironment,
): Promise<AuthClient> {
  const library = await import("google-auth-library");
  class OnceTransporter extends library.gaxios.Gaxios {
    override async request<T>(
      options: Parameters<InstanceType<typeof library.gaxios.Gaxios>["request"]>[0] = {},
    ) {
      return await super.request<T>({ ...options, retry: false, retryConfig: { retry: 0 } });
    }
  }
  const transporter = new OnceTransporter({ fetchImplementation: ourFetch(environment) });
  if (proof.kind === "machine") return new library.Compute({ transporter });
  const document = await credentialDocument(proof);
  const auth = new library.GoogleAuth({ scopes: scope });
  return auth.fromJSON(document as Parameters<typeof auth.fromJSON>[0], { transporter });
}

/** The error of the catalogue for what a client's request was rejected with; it holds nothing of what was sent. */
export function tokenError(error: unknown, location: string): unknown {
  for (let at = error; at instanceof Error; at = at.cause) if (isBackstayError(at)) return at;
  if (!(error instanceof Error)) return error;
  const { status, data } =
    (error as { response?: { status?: number; data?: unknown } }).response ?? {};
  const said = saidIn(data) ?? "";
  if (/reasonable timeframe|iat|issued in the future/.test(said))
    return new BackstayError("STORE_CLOCK", { place: location, problem: said });
  const problem = said === "" ? "Google gives no token for this account" : said;
  if (status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429)
    return new BackstayError("STORE_DENIED", { place: location, status, problem });
  return new BackstayError("STORE_UNAVAILABLE", {
    place: location,
    problem: "no token for this account is to be had at the moment",
    ...(status !== undefined && { status }),
  });
}

/** `error` and `error_description` of OAuth 2.0. */
function saidIn(data: unknown): string | undefined {
  if (typeof data !== "object" || data === null) return undefined;
  const { error, error_description: description } = data as Record<string, unknown>;
  const parts = [error, description].filter((part) => typeof part === "string");
  return parts
    .join(": ")
    .replaceAll(/[\s\p{C}]+/gu, " ")
    .slice(0, 200);
}

async function credentialDocument(
  proof: Extract<GcsProof, { kind: "document" | "file" }>,
): Promise<Record<string, unknown>> {
  const name =
    proof.kind === "file" ? "GOOGLE_APPLICATION_CREDENTIALS" : "BACKSTAY_GOOGLE_CREDENTIALS";
  const text = proof.kind === "file" ? await fileText(proof.path, name) : proof.text;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    document = undefined;
  }
  if (typeof document !== "object" || document === null)
    throw new BackstayError("USAGE", { problem: `${name} holds no JSON document` });
  const { type, credential_source: source } = document as Record<string, unknown>;
  const runsPrograms = typeof source === "object" && source !== null && "executable" in source;
  if (typeof type !== "string" || !documentTypes.has(type) || runsPrograms)
    throw new BackstayError("USAGE", {
      problem: `${name} holds a credential of a kind that is not used here`,
    });
  return document as Record<string, unknown>;
}

async function fileText(path: string, name: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new BackstayError("USAGE", {
      file: path,
      problem: `${name}: the file can't be read: ${code}`,
    });
  }
}

/** `fetch` for the library: one request over our transport, its answer in memory. */
function ourFetch(environment: GcsEnvironment): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const authorities = environment["RESTIC_CACERT"] ?? "";
    const place = {
      origin: url.origin,
      location: url.origin,
      pins: [],
      authoritiesFile: authorities === "" ? undefined : authorities,
      proxy: proxyFor(url, environment),
    };
    const transport = new HttpTransport(place, { silenceMs, refusalError: notAsked });
    const body =
      init?.body === undefined || init.body === null ? undefined : [sentBytes(init.body)];
    const request = {
      method: (init?.method ?? "GET") as "GET",
      path: `${url.pathname}${url.search}`,
      headers: Object.fromEntries(new Headers(init?.headers)),
      body,
      context: {},
    };
    try {
      return await transport.exchange(request, init?.signal ?? never, async (answer) => {
        const parts: Uint8Array[] = [];
        let bytes = 0;
        for await (const part of answer.body) {
          bytes += part.length;
          if (bytes > answerBytesMax)
            throw new BackstayError("STORE_UNAVAILABLE", { problem: "its answer has no end" });
          parts.push(part);
        }
        const type = answer.header("content-type") ?? "application/json";
        return new Response(Buffer.concat(parts), {
          status: answer.status,
          headers: { "content-type": type },
        });
      });
    } finally {
      await transport.close();
    }
  };
}

function sentBytes(body: unknown): Uint8Array {
  if (typeof body === "string" || body instanceof URLSearchParams) return Buffer.from(String(body));
  if (body instanceof Uint8Array) return body;
  throw new BackstayError("INTERNAL", { problem: "a body that is neither text nor bytes" });
}

/** Answers go to the library as they are, so that nobody asks for this. */
function notAsked(): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", {});
}
