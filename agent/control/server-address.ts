/** One address of the server: HTTP/1.1 over connections of its own, a few of which are kept for the next request. */
import { Agent, type IncomingMessage, type OutgoingHttpHeaders, request } from "node:http";
import type { Duplex } from "node:stream";
import { proxyAuthorization, proxyFor } from "../../platform/proxy-choice.ts";
import { ServerConnector } from "./server-connection.ts";
import type { ServerTrust } from "./server-trust.ts";

export interface RawRequest {
  readonly method: string;
  /** Below the address. */
  readonly path: string;
  readonly body: Uint8Array;
  /** A longer answer is refused. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

export interface RawAnswer {
  readonly status: number;
  /** By its name in small letters. */
  readonly header: (name: string) => string | undefined;
  readonly bytes: Uint8Array;
}

export interface ServerAddressOptions {
  readonly url: string;
  readonly trust: ServerTrust;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly nowMs: () => number;
}

/** An idle connection is closed after so long: servers and firewalls drop them silently. */
const idleMs = 15_000;

export class ServerAddress {
  readonly host: string;
  /** When it failed last, by the monotonic clock; undefined while it works. */
  failedMs: number | undefined;
  readonly #url: URL;
  readonly #proxy: URL | undefined;
  readonly #connections: Agent;

  constructor({ url, trust, environment, nowMs }: ServerAddressOptions) {
    this.#url = new URL(url);
    this.host = this.#url.host;
    this.#proxy = proxyFor(this.#url, environment);
    const connector = new ServerConnector({
      ...trust,
      server: this.#url,
      proxy: this.#proxy,
      nowMs,
    });
    this.#connections = new ConnectorAgent(connector);
  }

  /** The answer, whatever it is. Rejects with any error if there is none. `headers` is asked for each attempt. */
  async exchange(call: RawRequest, headers: () => OutgoingHttpHeaders): Promise<RawAnswer> {
    try {
      return await this.#attempt(call, headers());
    } catch (error) {
      // A kept connection that the server has closed meanwhile says nothing of the server.
      if (!(error instanceof StaleConnectionError)) throw error;
      this.#connections.destroy();
      return await this.#attempt(call, headers());
    }
  }

  close(): void {
    this.#connections.destroy();
  }

  async #attempt(call: RawRequest, headers: OutgoingHttpHeaders): Promise<RawAnswer> {
    const base = this.#url.pathname.replace(/\/+$/, "");
    // Through a proxy for plain HTTP the whole address is asked for.
    const forwarder = this.#url.protocol === "http:" ? this.#proxy : undefined;
    const authorization = forwarder === undefined ? undefined : proxyAuthorization(forwarder);
    const origin = forwarder === undefined ? "" : this.#url.origin;
    return await new Promise((resolve, reject) => {
      const outgoing = request({
        agent: this.#connections,
        method: call.method,
        path: `${origin}${base}${call.path}`,
        headers: {
          ...headers,
          host: this.host,
          ...(authorization !== undefined && { "proxy-authorization": authorization }),
          ...((call.body.length > 0 || call.method !== "GET") && {
            "content-length": call.body.length,
          }),
        },
        signal: call.signal,
      });
      let isAnswered = false;
      outgoing.on("error", (error) => {
        const isStale = outgoing.reusedSocket && !isAnswered && isBroken(error);
        reject(isStale ? new StaleConnectionError() : error);
      });
      outgoing.on("response", (incoming) => {
        isAnswered = true;
        wholeAnswer(incoming, call.bytesMax).then(resolve, reject);
      });
      outgoing.end(call.body);
    });
  }
}

class StaleConnectionError extends Error {
  override readonly name = "StaleConnectionError";
}

/** Lets Node's HTTP use our connections. */
class ConnectorAgent extends Agent {
  readonly #connector: ServerConnector;

  constructor(connector: ServerConnector) {
    super({ keepAlive: true, maxFreeSockets: 2, timeout: idleMs });
    this.#connector = connector;
  }

  override createConnection(
    _options: unknown,
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    this.#connector.open().then(
      (stream) => done?.(null, stream),
      (error: unknown) => (done as (error: unknown) => void)(error),
    );
    return undefined;
  }
}

async function wholeAnswer(incoming: IncomingMessage, bytesMax: number): Promise<RawAnswer> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of incoming as AsyncIterable<Uint8Array>) {
    size += piece.length;
    if (size > bytesMax) throw new Error(`its answer has more than ${bytesMax} bytes`);
    pieces.push(piece);
  }
  return {
    status: incoming.statusCode ?? 0,
    header: (name) => {
      const value = incoming.headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    bytes: Buffer.concat(pieces),
  };
}

function isBroken(error: NodeJS.ErrnoException): boolean {
  return error.code === "ECONNRESET" || error.code === "EPIPE";
}
