/**
 * The server of the local API: HTTP on a Unix socket or a named pipe. Whoever connects may be hostile, slow, or gone in
 * the next moment; nothing of that reaches the daemon behind it.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from "node:http";
import type { Socket } from "node:net";
import type { PeerIdentity } from "../../platform/ports/peer-identity.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { localApiPrefix } from "../../protocol/local-api/version.ts";
import { sendJson, sendProblem, sendText } from "./answers.ts";
import type { Call, RouteContext } from "./call.ts";
import { type Caller, callerOf } from "./caller.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import type { DaemonPlace } from "./daemon-place.ts";
import type { DaemonView } from "./daemon-view.ts";
import { LineStream, type LineStreamLimits } from "./line-stream.ts";
import { readJson } from "./request-body.ts";
import { findRoute, type Route } from "./routes.ts";
import { StatusFeed } from "./status-feed.ts";

const serverOptions: ServerOptions = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 5_000,
};
const answerLimitMs = 20_000;
const closingMs = 1_000;
const usualStreamLimits: LineStreamLimits = { heartbeatMs: 10_000, stallMs: 60_000 };

export interface LocalApiOptions {
  readonly place: DaemonPlace;
  readonly view: DaemonView;
  readonly peers: PeerIdentity;
  /** The user that this process runs as. */
  readonly ownUid: number;
  /** Told of everything that failed for no known reason, with the request it failed in. */
  readonly onFailure: (error: unknown, request: string) => void;
  readonly streamLimits?: LineStreamLimits;
}

export class LocalApiServer {
  readonly #options: LocalApiOptions;
  readonly #server: Server;
  readonly #limits = new ConnectionLimits();
  readonly #context: RouteContext;

  private constructor(options: LocalApiOptions) {
    this.#options = options;
    this.#context = { view: options.view, feed: new StatusFeed(options.view) };
    this.#server = createServer(serverOptions, (request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on("connection", (socket: Socket) => this.#admit(socket));
    this.#server.on("clientError", (_, socket) => refuse(socket as Socket));
  }

  /** Listens at the place. DAEMON_RUNNING, DAEMON_PLACE. */
  static async start(options: LocalApiOptions): Promise<LocalApiServer> {
    const api = new LocalApiServer(options);
    await api.#listen();
    return api;
  }

  /** Takes no more requests, gives those under way a moment, and ends all streams. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), closingMs);
    await closed;
    clearTimeout(timer);
  }

  async #listen(): Promise<void> {
    const { place, peers } = this.#options;
    const isOpen = peers.tellsUsers;
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const context = { path: place.address.path, problem: error.code ?? error.message };
        const code = error.code === "EADDRINUSE" ? "DAEMON_RUNNING" : "DAEMON_PLACE";
        reject(new BackstayError(code, context, error));
      });
      this.#server.listen(
        { path: place.address.path, readableAll: isOpen, writableAll: isOpen },
        resolve,
      );
    });
    this.#server.on("error", (error) => this.#options.onFailure(error, "listen"));
  }

  #admit(socket: Socket): void {
    const { peers, ownUid } = this.#options;
    // Failures of a connection end it and nothing else.
    socket.on("error", () => socket.destroy());
    if (!this.#limits.admit(socket, callerOf(peers.peerOf(socket), ownUid))) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const name = `${request.method} ${request.url?.split("?")[0]}`;
    const controller = new AbortController();
    response.on("close", () => controller.abort());
    try {
      await this.#answer(request, response, controller);
    } catch (error) {
      // Who has gone leaves errors of the connection, which are nobody's.
      if (response.destroyed) return;
      if (!(error instanceof BackstayError) || error.kind === "bug")
        this.#options.onFailure(error, name);
      if (response.headersSent) response.destroy();
      else sendProblem(response, error);
    }
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    controller: AbortController,
  ): Promise<void> {
    const caller = this.#limits.callerOf(request.socket);
    if (caller === undefined) throw new BackstayError("DAEMON_DENIED");
    const url = requestUrl(request);
    const match = findRoute(request.method, url.pathname.slice(localApiPrefix.length));
    if (match === undefined || !url.pathname.startsWith(`${localApiPrefix}/`))
      throw new BackstayError("DAEMON_REQUEST", {
        problem: `there is no ${request.method} ${url.pathname.slice(0, 100)}`,
      });
    const { route, name } = match;
    authorise(request, route, caller);
    const body = route.method === "POST" ? await readJson(request) : undefined;
    const { signal } = controller;
    const call: Call = { caller, name, query: url.searchParams, body, signal };
    await inTime(this.#respond(route, call, response), route.limitMs ?? answerLimitMs, controller);
  }

  async #respond(route: Route, call: Call, response: ServerResponse): Promise<void> {
    if ("json" in route) sendJson(response, await route.json(this.#context, call));
    else if ("text" in route) sendText(response, await route.text(this.#context));
    else {
      const limits = this.#options.streamLimits ?? usualStreamLimits;
      const open = (onIdle?: () => void): LineStream => new LineStream(response, limits, onIdle);
      await route.stream(this.#context, call, open);
    }
  }
}

/** A browser can be made to send requests by any page; no page has business here. */
function authorise(request: IncomingMessage, route: Route, caller: Caller): void {
  const { origin, referer } = request.headers;
  if (origin !== undefined || referer !== undefined)
    throw new BackstayError("DAEMON_DENIED", { problem: "requests of web pages are refused" });
  if (!caller.mayControl && route.isForEverybody !== true)
    throw new BackstayError("DAEMON_DENIED", { user: caller.text });
}

function requestUrl(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? "", "http://backstay");
  if (url === null) throw new BackstayError("DAEMON_REQUEST", { problem: "no path" });
  return url;
}

/** Rejects with DAEMON_BUSY, and aborts, if the work takes longer. */
async function inTime(
  work: Promise<void>,
  limitMs: number,
  controller: AbortController,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      controller.abort();
      reject(new BackstayError("DAEMON_BUSY", { seconds: limitMs / 1000 }));
    }, limitMs);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is no HTTP gets a short answer, if any, and is cut off. */
function refuse(socket: Socket): void {
  if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  setTimeout(() => socket.destroy(), closingMs).unref();
}
