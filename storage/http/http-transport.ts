/**
 * Requests to one server: directly or through a proxy, to nobody but that server, and with limits on how long nothing may
 * move. Redirections are answers like others, nothing is tried again. Loads the HTTP client at the first request.
 */
import { readFile } from "node:fs/promises";
import { Readable } from "node:stream";
import { TLSSocket } from "node:tls";
import type { buildConnector, Dispatcher } from "undici";
import { proxyAuthorization } from "../../platform/proxy-choice.ts";
import { machineAuthorities, pinProblem } from "../../platform/server-pins.ts";
import { BackstayError, type ErrorContext } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { networkError } from "./network-error.ts";

/** Where a server is, and how to know that it is the one. */
export interface HttpPlace {
  /** `https://host:port`. */
  readonly origin: string;
  /** For errors: without secrets. */
  readonly location: string;
  /** `sha256/…` of public keys, of which the server must show one; empty: authorities decide. */
  readonly pins: readonly string[];
  /** PEM file of the only authorities to trust. */
  readonly authoritiesFile: string | undefined;
  /** Undefined: there directly. */
  readonly proxy: URL | undefined;
}

/** The part of an answer that errors are made of. */
export interface Refusal {
  readonly status: number;
  /** Retry-After, if there is one. */
  readonly retryAfter: string | undefined;
  /** The beginning of the answer's body. */
  readonly text: string;
}

export interface HttpTransportOptions {
  /** So long nothing may move in a request before it is given up, ms; 2 minutes unless given. */
  readonly silenceMs?: number | undefined;
  /** The error for an answer that is no success; the context names the place already. */
  readonly refusalError: (refusal: Refusal, context: ErrorContext) => BackstayError;
}

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Begins with a slash; with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent one after the other, with their length; they are copied as they go. */
  readonly body?: readonly Uint8Array[] | undefined;
  /** Facts for errors. */
  readonly context: ErrorContext;
}

export interface HttpAnswer {
  readonly status: number;
  /** By their names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The value of a header, its first if there are several. */
  header(name: string): string | undefined;
  /** Bytes of the body by its header; undefined if that says none. */
  readonly length: number | undefined;
  /** To be read at most once; ends early only with an error. */
  readonly body: AsyncIterable<Uint8Array>;
  /** The error that tells of this answer, if it is no success. Reads the beginning of the body. */
  refusal(): Promise<BackstayError>;
  /** Lets the connection go: for the next request if the rest of the body is short. Never rejects. */
  end(): Promise<void>;
}

const connectMsMax = 30_000;
/** So much goes into the socket at once: the time limit is for each of these, not for a whole pack on a slow line. */
const bodyChunkBytes = 64 * 1024;
const refusalBytesMax = 4096;
const silenceMsUsual = 120_000;

type Connector = buildConnector.connector;

export class HttpTransport {
  readonly #place: HttpPlace;
  readonly #silenceMs: number;
  readonly #refusalError: HttpTransportOptions["refusalError"];
  #dispatcher: Promise<Dispatcher> | undefined;

  constructor(place: HttpPlace, options: HttpTransportOptions) {
    this.#place = place;
    this.#silenceMs = options.silenceMs ?? silenceMsUsual;
    this.#refusalError = options.refusalError;
  }

  /**
   * Sends a request and gives its answer to `use`; the connection is free again when that has settled. Rejects with
   * STORE_UNAVAILABLE or STORE_UNTRUSTED if there is no answer or its body breaks, with the signal's reason when aborted.
   */
  async exchange<T>(
    request: HttpRequest,
    signal: AbortSignal,
    use: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    try {
      const answer = await this.open(request, signal);
      try {
        return await use(answer);
      } finally {
        await answer.end();
      }
    } catch (error) {
      throw this.failure(error, request, signal);
    }
  }

  /** Sends a request; the caller gives what fails to `failure`, and ends the answer. */
  async open(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    signal.throwIfAborted();
    return this.#answerOf(await this.#send(request, signal), request);
  }

  /** What to throw for an error of `open` or of reading the answer. */
  failure(error: unknown, { context }: HttpRequest, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason;
    return networkError(error, { place: this.#place.location, ...context });
  }

  async close(): Promise<void> {
    const dispatcher = await this.#dispatcher?.catch(() => undefined);
    await dispatcher?.destroy();
  }

  async #send(request: HttpRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { method, path, headers, body } = request;
    const length = body?.reduce((sum, piece) => sum + piece.length, 0);
    this.#dispatcher ??= openDispatcher(this.#place);
    const dispatcher = await this.#dispatcher;
    return await dispatcher.request({
      origin: this.#place.origin,
      path,
      method,
      signal,
      headersTimeout: this.#silenceMs,
      bodyTimeout: this.#silenceMs,
      headers: {
        "user-agent": `backstay/${programVersion}`,
        "accept-encoding": "identity",
        ...headers,
        ...(length === undefined ? {} : { "content-length": String(length) }),
      },
      body: body === undefined || length === 0 ? null : Readable.from(chunksOf(body)),
    });
  }

  #answerOf(response: Dispatcher.ResponseData, request: HttpRequest): HttpAnswer {
    const { statusCode: status, headers, body } = response;
    const header = (name: string): string | undefined => [headers[name]].flat()[0];
    const length = header("content-length");
    return {
      status,
      headers,
      header,
      length: length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined,
      body,
      refusal: async () => {
        const text = await beginningOf(body);
        const context = { place: this.#place.location, ...request.context };
        return this.#refusalError({ status, retryAfter: header("retry-after"), text }, context);
      },
      end: async () => {
        body.on("error", () => undefined);
        if (!body.readableEnded) await body.dump({ limit: refusalBytesMax }).catch(() => undefined);
        body.destroy();
      },
    };
  }
}

/** Copies: a connection that is torn down may still hold what it was given, and packs are reused. */
function* chunksOf(body: readonly Uint8Array[]): Generator<Uint8Array> {
  for (const piece of body)
    for (let at = 0; at < piece.length; at += bodyChunkBytes)
      yield Uint8Array.from(piece.subarray(at, at + bodyChunkBytes));
}

async function beginningOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of body) {
    parts.push(part);
    bytes += part.length;
    if (bytes >= refusalBytesMax) break;
  }
  return Buffer.concat(parts).subarray(0, refusalBytesMax).toString("utf8");
}

/** The connections to a place; loads the HTTP client. USAGE if its file of authorities can't be read. */
export async function openDispatcher(place: HttpPlace): Promise<Dispatcher> {
  const { Agent, buildConnector, Pool, ProxyAgent } = await import("undici");
  const { origin, pins, proxy } = place;
  const tls = { ...(await trustOf(place)), allowH2: false, timeout: connectMsMax };
  const factory = (towards: string | URL, options: object): Dispatcher => {
    if (pins.length === 0 || new URL(towards).origin !== origin) return new Pool(towards, options);
    // Through a proxy it is given, and makes the tunnel.
    const { connect: given } = options as { readonly connect?: unknown };
    const connect = typeof given === "function" ? (given as Connector) : buildConnector(tls);
    return new Pool(towards, { ...options, connect: pinned(connect, place) });
  };
  if (proxy === undefined) return new Agent({ connect: tls, allowH2: false, factory });
  const token = proxyAuthorization(proxy);
  return new ProxyAgent({
    uri: proxy.origin,
    ...(token !== undefined && { token }),
    requestTls: tls,
    ...(proxy.protocol === "https:" && { proxyTls: { ca: machineAuthorities() } }),
    allowH2: false,
    factory,
  });
}

/** With pins the keys alone decide, and no session is resumed: it would show no certificate. */
async function trustOf({ pins, authoritiesFile, origin }: HttpPlace): Promise<{
  readonly rejectUnauthorized?: boolean;
  readonly maxCachedSessions?: number;
  readonly ca?: string | string[];
}> {
  if (pins.length > 0) return { rejectUnauthorized: false, maxCachedSessions: 0 };
  if (!origin.startsWith("https:")) return {};
  if (authoritiesFile === undefined) return { ca: machineAuthorities() };
  try {
    return { ca: await readFile(authoritiesFile, "utf8") };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    const problem = `RESTIC_CACERT: the file can't be read: ${code}`;
    throw new BackstayError("USAGE", { file: authoritiesFile, problem }, error);
  }
}

function pinned(connect: Connector, { pins, location }: HttpPlace): Connector {
  return (options, callback) =>
    connect(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      const host = options.hostname.replaceAll(/^\[|\]$/g, "");
      const problem =
        socket instanceof TLSSocket
          ? pinProblem(socket, host, pins, Date.now())
          : "it has no certificate";
      if (problem === undefined) return callback(null, socket);
      socket.destroy();
      callback(new BackstayError("STORE_UNTRUSTED", { place: location, problem }), null);
    });
}
