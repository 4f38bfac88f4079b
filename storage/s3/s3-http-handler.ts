/** The way of the S3 client's requests to the server: our own HTTP, with proxies, private authorities and limits of silence. */
import { pipeline, Readable, Transform } from "node:stream";
import type { Dispatcher } from "undici";
import { programVersion } from "../../protocol/program-version.ts";
import { type HttpPlace, openDispatcher } from "../http/http-transport.ts";
import type { RequestCounts, RequestKind } from "../request-counts.ts";

/** What the client wants to be sent. */
interface ClientRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | readonly string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface ClientResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Readable;
}

/** So much goes into the socket at once: the time limit is for each of these, not for a whole pack on a slow line. */
const bodyChunkBytes = 256 * 1024;

export class S3HttpHandler {
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #place: HttpPlace;
  readonly #silenceMs: number;
  readonly #counts: RequestCounts | undefined;
  #dispatcher: Promise<Dispatcher> | undefined;

  /** `silenceMs`: so long nothing may move before a request is given up. */
  constructor(place: HttpPlace, silenceMs: number, counts: RequestCounts | undefined) {
    this.#place = place;
    this.#silenceMs = silenceMs;
    this.#counts = counts;
  }

  async handle(
    request: ClientRequest,
    { abortSignal }: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: ClientResponse }> {
    this.#dispatcher ??= openDispatcher(this.#place);
    const dispatcher = await this.#dispatcher;
    const { body, bytes } = bodyOf(request);
    this.#counts?.request(kindOf(request), bytes);
    const port = request.port === undefined ? "" : `:${request.port}`;
    const answer = await dispatcher.request({
      origin: `${request.protocol}//${request.hostname}${port}`,
      path: pathOf(request),
      method: request.method as Dispatcher.HttpMethod,
      headers: { ...request.headers, "user-agent": `backstay/${programVersion}` },
      body,
      signal: abortSignal instanceof AbortSignal ? abortSignal : null,
      headersTimeout: this.#silenceMs,
      bodyTimeout: this.#silenceMs,
    });
    const headers = Object.entries(answer.headers).map(
      ([name, value]) => [name, [value].flat().join(", ")] as const,
    );
    return {
      response: {
        statusCode: answer.statusCode,
        headers: Object.fromEntries(headers),
        body: this.#counted(answer.body),
      },
    };
  }

  async close(): Promise<void> {
    const dispatcher = await this.#dispatcher?.catch(() => undefined);
    await dispatcher?.destroy();
  }

  updateHttpClientConfig(): void {
    // It has none that the client may change.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  /** A stream that may be destroyed without a word, which the client's is not. */
  #counted(body: Readable): Readable {
    const counts = this.#counts;
    const counter = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        counts?.received(chunk.length);
        done(null, chunk);
      },
    });
    pipeline(body, counter, () => undefined);
    return counter;
  }
}

function kindOf({ method, query = {} }: ClientRequest): RequestKind {
  if (method === "HEAD") return "head";
  if (method === "DELETE") return "delete";
  if (method === "GET") {
    if ("list-type" in query || "uploads" in query || "versions" in query) return "list";
    return Object.keys(query).every((name) => name === "x-id") ? "get" : "other";
  }
  return method === "PUT" || "uploads" in query || "uploadId" in query ? "put" : "other";
}

function bodyOf({ body, headers }: ClientRequest): { body: Readable | null; bytes: number } {
  if (body instanceof Readable) return { body, bytes: Number(headers["content-length"] ?? 0) };
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  if (!(bytes instanceof Uint8Array) || bytes.length === 0) return { body: null, bytes: 0 };
  return { body: Readable.from(chunksOf(bytes)), bytes: bytes.length };
}

/** No copies: were the bytes changed on the way, their hash in the signature would no longer be right. */
function* chunksOf(data: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += bodyChunkBytes)
    yield data.subarray(at, at + bodyChunkBytes);
}

function pathOf({ path, query = {} }: ClientRequest): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === null
      ? [encoded(name)]
      : [value].flat().map((each) => `${encoded(name)}=${encoded(each)}`),
  );
  return pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
}

/** As the signature writes it. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
