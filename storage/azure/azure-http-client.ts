/** The requests of Azure's client library, over our own transport: its limits, proxies and authorities, and counted. */
import { Readable } from "node:stream";
import type { HttpOperationResponse, IHttpClient, WebResource } from "@azure/storage-blob";
import { proxyFor } from "../../platform/proxy-choice.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  type HttpAnswer,
  type HttpPlace,
  type HttpRequest,
  HttpTransport,
} from "../http/http-transport.ts";
import type { RequestCounts, RequestKind } from "../request-counts.ts";
import type { AzureEnvironment } from "./azure-address.ts";

export interface AzureHttpOptions {
  /** For errors. */
  readonly location: string;
  /** Proxies and authorities. */
  readonly environment: AzureEnvironment;
  readonly counts?: RequestCounts | undefined;
  /** As that of the transport. */
  readonly silenceMs?: number | undefined;
}

/** The parts of a request that the library's two forms of it have in common. */
export interface AzureRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  readonly signal: AbortSignal | undefined;
}

/** A page of a list is about 4 MB. */
const textBytesMax = 64 * 1024 * 1024;
const never = new AbortController().signal;

export class AzureHttpClient implements IHttpClient {
  readonly #options: AzureHttpOptions;
  readonly #transports = new Map<string, HttpTransport>();

  constructor(options: AzureHttpOptions) {
    this.#options = options;
  }

  /** For the library's storage part, counted. Rejects as the transport does. */
  async sendRequest(request: WebResource): Promise<HttpOperationResponse> {
    const { counts } = this.#options;
    const { method, url } = request;
    const body: unknown = request.body;
    counts?.request(kindOf(method, new URL(url)), bytesOf(body)?.length);
    const signal = request.abortSignal as AbortSignal | undefined;
    const sent = { method, url, body, signal, headers: request.headers.rawHeaders() };
    return await this.exchange(sent, async (answer, failure) => {
      const headers = request.headers.clone();
      for (const name of headers.headerNames()) headers.remove(name);
      for (const name of Object.keys(answer.headers)) headers.set(name, answer.header(name) ?? "");
      const { status } = answer;
      const count = (bytes: number): void => counts?.received(bytes);
      if (request.streamResponseStatusCodes?.has(status) !== true)
        return { request, status, headers, bodyAsText: await textOf(answer, count) };
      const readableStreamBody = Readable.from(partsOf(answer, count, failure));
      return { request, status, headers, readableStreamBody };
    });
  }

  /** Sends a request and gives its answer, which has to be read or ended, to `use`; `failure` turns errors of its body. */
  async exchange<T>(
    request: AzureRequest,
    use: (answer: HttpAnswer, failure: (error: unknown) => unknown) => Promise<T>,
  ): Promise<T> {
    const url = new URL(request.url);
    const signal = request.signal ?? never;
    const body = bytesOf(request.body);
    // The transport names the length itself.
    const headers = Object.entries(request.headers).filter(
      ([name]) => name.toLowerCase() !== "content-length",
    );
    const sent: HttpRequest = {
      method: request.method as HttpRequest["method"],
      path: `${url.pathname}${url.search}`,
      headers: Object.fromEntries(headers),
      body: body === undefined ? undefined : [body],
      context: {},
    };
    const transport = this.#transport(url);
    const failure = (error: unknown): unknown => transport.failure(error, sent, signal);
    try {
      return await use(await transport.open(sent, signal), failure);
    } catch (error) {
      throw failure(error);
    }
  }

  async close(): Promise<void> {
    for (const transport of this.#transports.values()) await transport.close();
  }

  #transport(url: URL): HttpTransport {
    const { silenceMs } = this.#options;
    let transport = this.#transports.get(url.origin);
    if (transport === undefined) {
      const place = azureHttpPlace(url, this.#options);
      transport = new HttpTransport(place, { silenceMs, refusalError });
      this.#transports.set(url.origin, transport);
    }
    return transport;
  }
}

/** Where the server of an address is, and how to know that it is the one. */
export function azureHttpPlace(
  url: URL,
  { environment, location }: Pick<AzureHttpOptions, "environment" | "location">,
): HttpPlace {
  const authorities = environment["RESTIC_CACERT"] ?? "";
  return {
    origin: url.origin,
    location,
    pins: [],
    authoritiesFile: authorities === "" ? undefined : authorities,
    proxy: url.hostname === machineIdentityHost ? undefined : proxyFor(url, environment),
  };
}

/** Where a machine in Azure asks who it is: the machine's host, so that no proxy can lead there. */
const machineIdentityHost = "169.254.169.254";

/** What an account is charged for each request by. */
function kindOf(method: string, url: URL): RequestKind {
  const operation = url.searchParams.get("comp");
  if (method === "HEAD") return "head";
  if (method === "DELETE") return "delete";
  if (method === "GET" && operation === "list") return "list";
  if (method === "GET" && operation === null) return "get";
  const isContent = operation === null || operation === "block" || operation === "blocklist";
  return method === "PUT" && isContent && !url.searchParams.has("restype") ? "put" : "other";
}

/** Undefined: there is no body. */
function bytesOf(body: unknown): Uint8Array | undefined {
  if (body === undefined || body === null) return undefined;
  if (typeof body === "string") return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  throw new BackstayError("INTERNAL", { problem: "a body that is neither text nor bytes" });
}

/** The whole body as text. STORE_UNAVAILABLE if it has no sane end. */
export async function textOf(
  answer: HttpAnswer,
  count: (bytes: number) => void = () => undefined,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const part of answer.body) {
      bytes += part.length;
      if (bytes > textBytesMax)
        throw new BackstayError("STORE_UNAVAILABLE", { problem: "its answer has no end" });
      count(part.length);
      parts.push(part);
    }
  } finally {
    await answer.end();
  }
  return Buffer.concat(parts).toString("utf8");
}

async function* partsOf(
  answer: HttpAnswer,
  count: (bytes: number) => void,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of answer.body) {
      count(part.length);
      yield part;
    }
  } catch (error) {
    throw failure(error);
  } finally {
    await answer.end();
  }
}

/** Answers go to the library as they are, so that nobody asks for this. */
function refusalError(): BackstayError {
  return new BackstayError("STORE_UNAVAILABLE", {});
}
