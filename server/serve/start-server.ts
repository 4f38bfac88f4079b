/** The management server as a whole: starts it, has it look at its certificate again, and stops it without losing a request. */
import { setMaxListeners } from "node:events";
import type { Server as HttpServer, IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { programVersion } from "../../protocol/program-version.ts";
import { localAdminToken, makeFirstAdmin } from "../access/first-admin.ts";
import { gatewayRoutes } from "../gateway/gateway-routes.ts";
import { PeriodicTasks } from "../ground/periodic-tasks.ts";
import { type App, makeHttpApp } from "../http/http-app.ts";
import { collectRoutes, type DeclaredRoute } from "../http/route-access.ts";
import { isBehind, limitTraffic, usualRateLimits } from "../http/traffic-limits.ts";
import { describeApi } from "./api-description.ts";
import { DataFolder } from "./data-folder.ts";
import { hasGatewayFolder } from "./gateway-place.ts";
import { type OpenGround, openGround } from "./open-ground.ts";
import { makeRooms, measureRooms, type Rooms, registerRoutes } from "./rooms.ts";
import { measure } from "./server-metrics.ts";
import type { ServerOptions } from "./server-options.ts";
import { serverRoutes } from "./server-routes.ts";
import { serverTasks } from "./server-tasks.ts";
import { givenIdentity, namesOfMachine, ownIdentity, type TlsIdentity } from "./tls-identity.ts";

export interface RunningServer {
  /** How this machine reaches it. */
  readonly url: string;
  readonly publicUrls: readonly string[];
  /** `sha256/…` of the key that it shows. */
  readonly pin: string;
  /** Token of the first administrator, at the very first start only. */
  readonly firstAdminToken: string | undefined;
  readonly routes: readonly DeclaredRoute[];
  /** Reads the certificate again, or renews its own; connections stay. TLS_FILES: it goes on with what it has. */
  reloadCertificate(): Promise<void>;
  /** Answers what is held, lets what is under way end (30 s at most), closes everything. Harmless if called twice. */
  stop(): Promise<void>;
}

/** Requests that are under way get so long. */
const drainMs = 30_000;
const idleLookMs = 200;
const certificateLookMs = 12 * 3_600_000;

/**
 * Starts the server; what is not said in `options` is as docs/server.md says. Rejects with SERVER_RUNNING, SERVER_PLACE,
 * SERVER_ADDRESS, TLS_FILES, DATABASE_…, VAULT_…, and leaves nothing open then.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const folder = await DataFolder.open(options.dataFolder);
  const stopping = new AbortController();
  // Each held request listens.
  setMaxListeners(0, stopping.signal);
  let open: OpenGround | undefined;
  let app: App | undefined;
  try {
    open = await openGround(options, folder, stopping.signal);
    const server = new StartedServer(options, folder, open, stopping);
    app = await server.listen();
    await server.admit();
    return server;
  } catch (error) {
    stopping.abort();
    await app?.close();
    await open?.close();
    folder.close();
    throw error;
  }
}

class StartedServer implements RunningServer {
  readonly #options: ServerOptions;
  readonly #folder: DataFolder;
  readonly #open: OpenGround;
  readonly #stopping: AbortController;
  readonly #tasks: PeriodicTasks;
  #https: HttpsServer | undefined;
  #app: App | undefined;
  #rooms: Rooms | undefined;
  #identity: TlsIdentity | undefined;
  #stopped: Promise<void> | undefined;
  url = "";
  firstAdminToken: string | undefined;
  routes: readonly DeclaredRoute[] = [];

  constructor(
    options: ServerOptions,
    folder: DataFolder,
    open: OpenGround,
    stopping: AbortController,
  ) {
    this.#options = options;
    this.#folder = folder;
    this.#open = open;
    this.#stopping = stopping;
    this.#tasks = new PeriodicTasks(open.ground);
  }

  get publicUrls(): readonly string[] {
    return this.#open.settings.publicUrls;
  }

  get pin(): string {
    return this.#identity?.pin ?? "";
  }

  /** Everything up to the open port. */
  async listen(): Promise<App> {
    const { ground, settings } = this.#open;
    const identity = await this.#readIdentity();
    this.#identity = identity;
    if (this.#options.pins === undefined) settings.pins = identity.pins;
    const https = createServer(identity.context);
    this.#https = https;
    const app = makeHttpApp({
      log: ground.log,
      trustedProxies: settings.trustedProxies,
      makeServer: (handler) => listenerOf(https, handler),
    });
    this.#app = app;
    const limits = { ...usualRateLimits, ...this.#options.rateLimits };
    this.routes = collectRoutes(app);
    app.addHook("onSend", async (_request, reply) => {
      if (ground.signal.aborted) reply.header("connection", "close");
    });
    const figures = limitTraffic(app, limits, ground.signal);
    await describeApi(app);
    const metrics = measure(app, figures);
    const rooms = await makeRooms(ground, this.#options, () => isBehind(figures));
    this.#rooms = rooms;
    serverRoutes(app, { ground, metrics });
    await registerRoutes(app, rooms);
    measureRooms(rooms, metrics);
    await gatewayRoutes(app, {
      ground,
      metrics,
      hasFolder: await hasGatewayFolder(ground, this.#folder),
      environment: this.#options.storageEnvironment ?? {},
    });
    // Before anybody asks: a gap in what we remember must be known from the first answer on.
    await rooms.memory.look();
    const { host, port } = this.#options.listen;
    try {
      await app.listen({ host, port, backlog: 4096 });
    } catch (error) {
      await app.close();
      const problem = (error as NodeJS.ErrnoException).code ?? String(error);
      throw new BackstayError("SERVER_ADDRESS", { host, port, problem }, error);
    }
    const { port: taken } = https.address() as AddressInfo;
    this.url = `https://${inUrl(isEverywhere(host) ? "127.0.0.1" : host)}:${taken}`;
    if (settings.publicUrls.length === 0)
      settings.publicUrls = [`https://${inUrl(isEverywhere(host) ? hostname() : host)}:${taken}`];
    return app;
  }

  /** Makes the tokens that there must be, and begins what the server does by itself. */
  async admit(): Promise<void> {
    const { ground } = this.#open;
    const rooms = this.#rooms;
    if (rooms === undefined) return;
    if (this.#options.makesFirstAdmin !== false)
      this.firstAdminToken = await makeFirstAdmin(ground, rooms.tokens);
    const kept = await this.#folder.readLocalAccess();
    const token = await localAdminToken(ground, rooms.tokens, kept?.token);
    await this.#folder.writeLocalAccess({ url: this.url, pin: this.pin, token });
    for (const task of serverTasks(rooms)) this.#tasks.start(task);
    void this.#renewCertificate();
    ground.log.info("The server is ready.", {
      url: this.url,
      pin: this.pin,
      version: programVersion,
      processId: process.pid,
    });
  }

  async reloadCertificate(): Promise<void> {
    const identity = await this.#readIdentity();
    this.#https?.setSecureContext(identity.context);
    const { settings, ground } = this.#open;
    if (this.#options.pins === undefined) settings.pins = identity.pins;
    const isOtherKey = identity.pin !== this.#identity?.pin;
    this.#identity = identity;
    const access = await this.#folder.readLocalAccess();
    if (isOtherKey && access !== undefined)
      await this.#folder.writeLocalAccess({ ...access, pin: identity.pin });
    ground.log.info("The certificate was read again.", { pin: identity.pin });
  }

  async stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    await this.#stopped;
  }

  async #stop(): Promise<void> {
    const { ground } = this.#open;
    ground.log.info("The server is about to stop.");
    // Held requests are answered, and tasks begin nothing new.
    this.#stopping.abort(new Error("the server is about to stop"));
    const drained = new AbortController();
    const closing = this.#app?.close();
    // Connections stay open after their last answer; closing waits for them.
    const idle = setInterval(() => this.#https?.closeIdleConnections(), idleLookMs);
    const impatience = sleep(drainMs, undefined, { signal: drained.signal }).then(
      () => {
        ground.log.warning("Requests did not end in time.");
        this.#https?.closeAllConnections();
      },
      () => undefined,
    );
    await closing;
    clearInterval(idle);
    await this.#tasks.ended();
    await this.#rooms?.fleet.presence.flush().catch((error: unknown) => {
      ground.log.failure("Which machines were heard of last could not be written.", error);
    });
    drained.abort();
    await impatience;
    await this.#open.close();
    this.#folder.close();
  }

  async #readIdentity(): Promise<TlsIdentity> {
    const { tls, listen, publicUrls = [] } = this.#options;
    if (tls !== undefined) return await givenIdentity(tls);
    const called = publicUrls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, ""));
    const names = namesOfMachine([listen.host, ...called]);
    return await ownIdentity(this.#folder, this.#open.ground, names);
  }

  async #renewCertificate(): Promise<void> {
    const { ground } = this.#open;
    while (!ground.signal.aborted) {
      await sleep(certificateLookMs, undefined, { signal: ground.signal, ref: false }).catch(
        () => undefined,
      );
      if (ground.signal.aborted) return;
      await this.reloadCertificate().catch((error: unknown) => {
        ground.log.failure("The certificate could not be read again.", error);
      });
    }
  }
}

/** Fastify's types know one kind of listener; all that it does with it, both can. */
function listenerOf(
  https: HttpsServer,
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): HttpServer {
  https.on("request", handler);
  return https as unknown as HttpServer;
}

function isEverywhere(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function inUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
