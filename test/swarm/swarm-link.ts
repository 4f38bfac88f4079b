/** One machine's way to the server: signed requests over its own TLS connections, each measured. */
import { createHash, randomBytes } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { buildConnector, Pool } from "undici";
import { type RequestSender, signRequest } from "../../protocol/control/request-signature.ts";
import type { SwarmIdentity } from "./swarm-identity.ts";
import type { SwarmMeter } from "./swarm-meter.ts";

export interface LinkAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
}

export interface LinkRequest {
  /** For the figures. */
  readonly route: string;
  readonly method: "GET" | "POST" | "PUT";
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** What it says of itself, signed. */
  readonly sender?: RequestSender;
  /** The server holds it on purpose: its duration says nothing. */
  readonly isHeld?: boolean;
  readonly signal: AbortSignal;
}

const answerWaitMs = 60_000;
const heldWaitMs = 400_000;
const bytesMax = 8 * 1024 * 1024;

export class SwarmLink {
  readonly #identity: SwarmIdentity;
  readonly #meter: SwarmMeter;
  readonly #pools: readonly Pool[];
  /** Which server is asked now; the next one after a failure. */
  #at: number;

  constructor(
    identity: SwarmIdentity,
    place: { readonly urls: readonly string[]; readonly pins: readonly string[] },
    meter: SwarmMeter,
  ) {
    this.#identity = identity;
    this.#meter = meter;
    const connect = pinnedConnector(place.pins);
    // As real agents: one connection may be held by a wake, another is for the rest and closed soon after.
    this.#pools = place.urls.map(
      (url) => new Pool(url, { connections: 2, pipelining: 1, connect }),
    );
    this.#at = identity.number % this.#pools.length;
  }

  /** Resolves with any answer; rejects if there is none. */
  async request(request: LinkRequest, agentId: string): Promise<LinkAnswer> {
    const { route, isHeld = false } = request;
    const beginMs = performance.now();
    this.#meter.begin(Date.now());
    try {
      const answer = await this.#exchange(request, agentId);
      if (!isHeld) this.#meter.answered(route, performance.now() - beginMs);
      this.#meter.ended(route, problemCode(answer) ?? String(answer.status));
      return answer;
    } catch (error) {
      this.#at = (this.#at + 1) % this.#pools.length;
      if (!request.signal.aborted) this.#meter.ended(route, failureCode(error));
      throw error;
    }
  }

  async close(): Promise<void> {
    for (const pool of this.#pools) await pool.destroy();
  }

  async #exchange(request: LinkRequest, agentId: string): Promise<LinkAnswer> {
    const { method, path, isHeld = false, signal } = request;
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const authorization = signRequest(
      {
        issuer: agentId,
        method,
        path,
        body: Buffer.from(body ?? ""),
        timeMs: Date.now(),
        nonce: randomBytes(16).toString("base64url"),
        ...(request.sender !== undefined && { sender: request.sender }),
      },
      this.#identity.identityKey,
    );
    const answer = await this.#pools[this.#at].request({
      method,
      path,
      headers: {
        authorization,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...request.headers,
      },
      ...(body !== undefined && { body }),
      headersTimeout: isHeld ? heldWaitMs : answerWaitMs,
      bodyTimeout: answerWaitMs,
      signal,
    });
    const text = await answer.body.text();
    if (text.length > bytesMax) throw new Error("the answer is too long");
    return { status: answer.statusCode, headers: answer.headers, text };
  }
}

/** Connects to servers with one of these pins only; TLS sessions are not taken up again, so that each connection costs all. */
function pinnedConnector(pins: readonly string[]): buildConnector.connector {
  const connect = buildConnector({
    rejectUnauthorized: false,
    maxCachedSessions: 0,
    timeout: 30_000,
    allowH2: false,
  });
  return (options, callback) => {
    connect(options, (error, socket) => {
      if (socket === null) callback(error ?? new Error("no connection"), null);
      else if (pins.includes(pinOf(socket as TLSSocket))) callback(null, socket);
      else {
        socket.destroy();
        callback(new Error("the server has another key"), null);
      }
    });
  };
}

function pinOf(socket: TLSSocket): string {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
  return `sha256/${createHash("sha256")
    .update(key ?? "")
    .digest("base64url")}`;
}

/** `code` of a problem document; undefined for answers that are none. */
export function problemCode({ status, text }: LinkAnswer): string | undefined {
  if (status < 400) return undefined;
  try {
    const { code } = JSON.parse(text) as { code?: unknown };
    return typeof code === "string" ? `${status} ${code}` : undefined;
  } catch {
    return undefined;
  }
}

function failureCode(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  const { code } = error as Error & { code?: unknown };
  return typeof code === "string" ? code : error.message.slice(0, 60);
}
