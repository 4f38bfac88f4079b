/** The management API as commands use it: one server, one token, answers as JSON, refusals as errors of the catalogue. */
import { randomUUID } from "node:crypto";
import { TLSSocket } from "node:tls";
import { Agent, buildConnector, type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { pinOfKey } from "../../platform/server-pins.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { refusalOf, remoteFailure } from "./remote-failure.ts";

/** How a server is reached. */
export interface ServerAccess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly token: string;
  /** `sha256/…` of the server's public key; absent: the authorities of this machine decide. */
  readonly pin?: string | undefined;
}

export type Query = Readonly<
  Record<string, string | number | boolean | readonly string[] | undefined>
>;

export interface Answer {
  /** For `if-match`; empty if there is none. */
  readonly etag: string;
  readonly body: unknown;
}

/** So long an answer may take to begin; checks of long audit logs take a while. */
const headersTimeoutMs = 120_000;
/** Rows asked for at once. */
const pageRows = 500;

export class ManagementClient {
  readonly #access: ServerAccess;
  readonly #signal: AbortSignal;
  readonly #dispatcher: Dispatcher;

  constructor(access: ServerAccess, signal: AbortSignal) {
    this.#access = access;
    this.#signal = signal;
    this.#dispatcher = dispatcherFor(access.pin);
  }

  get url(): string {
    return this.#access.url;
  }

  /** Of the server's key; undefined if authorities decide. */
  get pin(): string | undefined {
    return this.#access.pin;
  }

  async get(path: string, query: Query = {}): Promise<Answer> {
    return await this.#exchange("GET", path, { query });
  }

  /** Harmless to repeat for whoever repeats the process' own request; each call here is a request of its own. */
  async post(path: string, body: unknown = {}): Promise<Answer> {
    return await this.#exchange("POST", path, {
      body,
      headers: { "idempotency-key": randomUUID() },
    });
  }

  async put(path: string, etag: string, body: unknown): Promise<Answer> {
    return await this.#exchange("PUT", path, { body, headers: { "if-match": etag } });
  }

  async remove(path: string, etag: string): Promise<Answer> {
    return await this.#exchange("DELETE", path, { headers: { "if-match": etag } });
  }

  /** Every item of a list, page by page. */
  async list<Item>(path: string, query: Query = {}): Promise<Item[]> {
    const items: Item[] = [];
    for await (const item of this.each<Item>(path, query)) items.push(item);
    return items;
  }

  /** The items of a list one after another, however many there are. */
  async *each<Item>(path: string, query: Query = {}): AsyncGenerator<Item> {
    let cursor: string | undefined;
    do {
      const { body } = await this.get(path, { limit: pageRows, ...query, cursor });
      const page = body as { items: Item[]; nextCursor?: string | null };
      if (!Array.isArray(page.items)) throw new BackstayError("SERVER_ANSWER", { path });
      yield* page.items;
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** The raw bytes of an answer, as they come. */
  async download(path: string, write: (bytes: Uint8Array) => Promise<void>): Promise<void> {
    const { statusCode, body } = await this.#send("GET", path, {});
    try {
      if (statusCode !== 200) throw refusalOf(statusCode, await body.text());
      for await (const part of body) await write(part as Uint8Array);
    } catch (error) {
      throw remoteFailure(error, this.#access.url, this.#signal);
    }
  }

  async close(): Promise<void> {
    await this.#dispatcher.destroy();
  }

  async #exchange(
    method: Dispatcher.HttpMethod,
    path: string,
    options: RequestParts,
  ): Promise<Answer> {
    const { statusCode, headers, body } = await this.#send(method, path, options);
    try {
      const text = await body.text();
      if (statusCode >= 300) throw refusalOf(statusCode, text);
      const etag = headers["etag"];
      return {
        etag: typeof etag === "string" ? etag : "",
        body: text === "" ? undefined : (JSON.parse(text) as unknown),
      };
    } catch (error) {
      throw remoteFailure(error, this.#access.url, this.#signal);
    }
  }

  async #send(
    method: Dispatcher.HttpMethod,
    path: string,
    { query = {}, body, headers = {} }: RequestParts,
  ): Promise<Dispatcher.ResponseData> {
    const search = searchOf(query);
    try {
      return await request(`${this.#access.url}${path}${search === "" ? "" : `?${search}`}`, {
        method,
        dispatcher: this.#dispatcher,
        signal: this.#signal,
        headersTimeout: headersTimeoutMs,
        headers: {
          accept: "application/json",
          authorization: `Bearer ${this.#access.token}`,
          "user-agent": `backstay-server/${programVersion}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (error) {
      throw remoteFailure(error, this.#access.url, this.#signal);
    }
  }
}

/** Lists are given as often as they have items; what is undefined is not given. */
function searchOf(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of [value ?? []].flat()) search.append(name, String(each));
  return search.toString();
}

interface RequestParts {
  readonly query?: Query;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** With a pin the certificate's key alone decides, and the connection is direct: a proxy could not be told apart. */
function dispatcherFor(pin: string | undefined): Dispatcher {
  if (pin === undefined) return new EnvHttpProxyAgent();
  // A TLS session that is taken up again shows no certificate whose key could be compared.
  const connect = buildConnector({ rejectUnauthorized: false, maxCachedSessions: 0 });
  return new Agent({
    connect: (options, callback) =>
      connect(options, (error, socket) => {
        if (error !== null) return callback(error, null);
        if (socket instanceof TLSSocket && !isPinned(socket, pin)) {
          socket.destroy();
          return callback(
            new BackstayError("SERVER_UNTRUSTED", { server: options.hostname }),
            null,
          );
        }
        callback(null, socket);
      }),
  });
}

function isPinned(socket: TLSSocket, pin: string): boolean {
  const certificate = socket.getPeerX509Certificate();
  return certificate !== undefined && pinOfKey(certificate.publicKey) === pin;
}
