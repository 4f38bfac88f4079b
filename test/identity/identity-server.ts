/** The agents' API on real HTTPS with a test ground below it: time that a test sets, answers that get lost, own certificate. */
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import { createServer, type Server as HttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setImmediate } from "node:timers/promises";
import type { Selectable } from "kysely";
import { pinOfKey } from "../../platform/server-pins.ts";
import { agentApiRoutes } from "../../server/agent-api/agent-routes.ts";
import type { Tables } from "../../server/database/tables.ts";
import type { EnrolmentTokenSettings } from "../../server/fleet/enrolment-tokens.ts";
import { type FleetIdentity, makeFleetIdentity } from "../../server/fleet/fleet-identity.ts";
import { Tenants } from "../../server/fleet/tenants.ts";
import { type App, makeHttpApp } from "../../server/http/http-app.ts";
import { collectRoutes } from "../../server/http/route-access.ts";
import { limitTraffic, type RateLimits } from "../../server/http/traffic-limits.ts";
import { makeCertificate, makeCertificateKey } from "../../server/serve/own-certificate.ts";
import { makeTestGround, type TestGround } from "../server/test-ground.ts";

export interface TestCertificate {
  /** PEM; the certificate with those above it. */
  readonly key: string;
  readonly cert: string;
  /** `sha256/…` of the server's own key. */
  readonly pin: string;
}

/** A certificate signed by its own key, a new one if none is given, for a server of this machine. */
export function ownTestCertificate(key: string = makeCertificateKey()): TestCertificate {
  const privateKey = createPrivateKey(key);
  const cert = makeCertificate(privateKey, ["localhost", "127.0.0.1"], Date.now());
  return { key, cert, pin: pinOfKey(privateKey) };
}

export interface IdentityServerOptions {
  /** Of an empty database; SQLite in a folder of its own if absent. */
  readonly database?: string;
  readonly certificate?: TestCertificate;
  /** Rates for each address; none if absent. */
  readonly limits?: RateLimits;
  /** CIDR blocks. */
  readonly trustedProxies?: readonly string[];
  /** Put into tokens in place of its own address. */
  readonly publicUrls?: readonly string[];
  /** The same for its own pin. */
  readonly pins?: readonly string[];
}

/** A route for every agent that may ask; answers 200 with what it got. */
export const probePath = "/agent/v1/probe";

export class IdentityServer {
  readonly ground: TestGround;
  readonly fleet: FleetIdentity;
  readonly tenantId: string;
  readonly url: string;
  readonly pin: string;
  /**
   * Asked when a request arrives, and when its answer is ready: true breaks the connection, so that the request does
   * nothing, or does all and nobody hears of it.
   */
  breaks: (moment: "arrival" | "answer") => boolean = () => false;
  /** Requests that arrived, as `POST /agent/v1/enroll`. */
  readonly requests: string[] = [];
  readonly #https: HttpsServer;
  readonly #close: () => Promise<void>;
  readonly #underWay: ReadonlySet<object>;
  #stopped: Promise<void> | undefined;
  #tokens = 0;

  private constructor(parts: IdentityParts, close: () => Promise<void>) {
    this.ground = parts.ground;
    this.fleet = parts.fleet;
    this.tenantId = parts.tenantId;
    this.url = parts.url;
    this.pin = parts.pin;
    this.#https = parts.https;
    this.#underWay = parts.underWay;
    this.#close = close;
  }

  /** The clock of its ground is set to the machine's. */
  static async start(options: IdentityServerOptions = {}): Promise<IdentityServer> {
    const folder = mkdtempSync(path.join(tmpdir(), "backstay-identity-"));
    const certificate = options.certificate ?? ownTestCertificate();
    const { trustedProxies = [] } = options;
    const https = createServer({ key: certificate.key, cert: certificate.cert });
    await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
    const url = `https://127.0.0.1:${(https.address() as AddressInfo).port}`;
    const ground = await makeTestGround(options.database ?? path.join(folder, "server.db"), {
      publicUrls: options.publicUrls ?? [url],
      pins: options.pins ?? [certificate.pin],
      trustedProxies,
    });
    ground.setTime(Date.now());
    const fleet = makeFleetIdentity(ground, {
      rootKey: async () => `${"R".repeat(42)}Q`,
      admission: async () => undefined,
    });
    const settings = { name: "acme", quotas: {}, leaseUntilMs: null, recoveryKey: null };
    const tenant = await new Tenants(ground).create("server", settings);
    const app = makeHttpApp({
      log: ground.log,
      trustedProxies,
      makeServer: (handler) => {
        https.on("request", handler);
        return https as unknown as Server;
      },
    });
    collectRoutes(app);
    const underWay = new Set<object>();
    let server: IdentityServer | undefined;
    app.addHook("onRequest", async (request, reply) => {
      server?.requests.push(`${request.method} ${request.url}`);
      if (server?.breaks("arrival") !== true) return;
      reply.hijack();
      request.raw.socket.destroy();
    });
    app.addHook("onSend", async (request) => {
      if (server?.breaks("answer") !== true) return;
      underWay.delete(request.raw);
      request.raw.socket.destroy();
    });
    if (options.limits !== undefined) limitTraffic(app, options.limits, ground.signal);
    await agentApiRoutes(app, { ground, fleet }, [
      probeRoutes,
      (scope) => {
        scope.addHook("onRequest", async ({ raw }) => void underWay.add(raw));
        // After that of the authentication: who asked has been noted then.
        scope.addHook("onResponse", async ({ raw }) => void underWay.delete(raw));
      },
    ]);
    const close = async (): Promise<void> => {
      https.closeAllConnections();
      await app.close();
      await new Promise((resolve) => https.close(resolve));
      await ground.close();
      rmSync(folder, { recursive: true, force: true });
    };
    const { pin } = certificate;
    const tenantId = tenant.id;
    server = new IdentityServer({ ground, fleet, tenantId, url, pin, https, underWay }, close);
    await app.ready();
    return server;
  }

  /** Shows another certificate from now on; connections that are open end. */
  show({ key, cert }: TestCertificate): void {
    this.#https.setSecureContext({ key, cert });
    this.closeConnections();
  }

  /** Writes whom the server has heard of: an answer is at the machine before its sender has been noted. */
  async writePresence(): Promise<void> {
    while (this.#underWay.size > 0) await setImmediate();
    await this.fleet.presence.flush();
  }

  closeConnections(): void {
    this.#https.closeAllConnections();
  }

  /** A token as it is pasted. */
  async token(settings: Partial<EnrolmentTokenSettings> = {}): Promise<string> {
    this.#tokens += 1;
    const { token } = await this.fleet.enrolmentTokens.create("server", this.tenantId, {
      name: `token ${this.#tokens}`,
      usesMax: 1,
      expiresMs: this.ground.now() + 3_600_000,
      groupId: null,
      labels: {},
      networks: [],
      needsApproval: false,
      agentId: null,
      ...settings,
    });
    return token;
  }

  /** Rows of agents, oldest first. */
  async agents(): Promise<Selectable<Tables["agents"]>[]> {
    return await this.ground.database.selectFrom("agents").selectAll().orderBy("id").execute();
  }

  /** How often all tokens together were used. */
  async uses(): Promise<number> {
    const rows = await this.ground.database.selectFrom("enrolment_tokens").select("uses").execute();
    return rows.reduce((sum, { uses }) => sum + uses, 0);
  }

  /** Everything that its database holds of who is who, and its log, as one text. */
  async everything(): Promise<string> {
    const tables = [
      "enrolment_tokens",
      "enrolment_requests",
      "agents",
      "audit",
      "request_nonces",
    ] as const;
    const rows = await Promise.all(
      tables.map(
        async (table) => await this.ground.database.selectFrom(table).selectAll().execute(),
      ),
    );
    return `${JSON.stringify(rows)}${this.ground.logged.join("\n")}`;
  }

  /** Harmless if called twice. */
  async stop(): Promise<void> {
    this.#stopped ??= this.#close();
    await this.#stopped;
  }
}

interface IdentityParts {
  readonly ground: TestGround;
  readonly fleet: FleetIdentity;
  readonly tenantId: string;
  readonly url: string;
  readonly pin: string;
  readonly https: HttpsServer;
  /** Requests whose senders have not been noted yet. */
  readonly underWay: ReadonlySet<object>;
}

function probeRoutes(scope: App): void {
  for (const method of ["GET", "PUT"] as const)
    scope.route({
      method,
      url: probePath,
      config: { access: { kind: "agent" } },
      handler: async (request) => ({ agentId: request.agent.id, body: request.body ?? null }),
    });
}
