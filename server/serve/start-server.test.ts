import { createPrivateKey } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { pinOfKey } from "../../platform/server-pins.ts";
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import { addGatewayMachine, basic, type GatewayMachine } from "../../test/gateway/gateway-scene.ts";
import { askPinned } from "../../test/server/pinned-request.ts";
import {
  type PostgresCluster,
  postgresPrograms,
  startPostgres,
} from "../../test/server/postgres-cluster.ts";
import { openDatabase } from "../database/open-database.ts";
import { makeCertificate, makeCertificateKey } from "./own-certificate.ts";
import type { ServerOptions } from "./server-options.ts";
import { type RunningServer, startServer } from "./start-server.ts";

let folder = "";
let logged: string[] = [];
let running: RunningServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-serve-"));
  logged = [];
});
afterEach(async () => {
  for (const server of running) await server.stop();
  running = [];
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  const server = await startServer({
    dataFolder: path.join(folder, "data"),
    listen: { host: "127.0.0.1", port: 0 },
    logLevel: "info",
    writeLog: (line) => logged.push(line),
    now: () => Date.now(),
    ...options,
  });
  running.push(server);
  return server;
}

/** A machine with an account at the gateway's folder, in the database of servers. */
async function machineIn(address: string): Promise<GatewayMachine> {
  const { database, close } = await openDatabase(address);
  const machine = await addGatewayMachine({ database, now: () => Date.now() });
  await close();
  return machine;
}

/** Where the folder is, nothing is found yet. */
async function gatewayStatus({ url }: RunningServer, machine: GatewayMachine): Promise<number> {
  const headers = { authorization: basic(machine) };
  return (await askPinned(`${url}${machine.path}config`, { headers })).status;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const refusal = (code: ErrorCode) => expect.toSatisfy((error) => isBackstayError(error, code));
const localAccess = (data = "data") =>
  JSON.parse(readFileSync(path.join(folder, data, "local-access.json"), "utf8")) as {
    url: string;
    pin: string;
    token: string;
  };

describe("a server with a folder of its own", () => {
  it("tells its first administrator's token once, and lets in who has it", async () => {
    const first = await start();
    const token = first.firstAdminToken ?? "";
    const answer = await askPinned(`${first.url}/api/v1/tenants`, { headers: bearer(token) });
    expect(answer).toMatchObject({ status: 200, pin: first.pin });
    expect((await askPinned(`${first.url}/api/v1/tenants`)).status).toBe(401);
    await first.stop();
    const second = await start();
    expect(second.firstAdminToken).toBeUndefined();
    const again = await askPinned(`${second.url}/api/v1/tenants`, { headers: bearer(token) });
    expect(again).toMatchObject({ status: 200, pin: first.pin });
    expect(logged.join("")).not.toContain(token);
  });

  it("keeps what lets people in, and its keys, from everybody else on the machine", async () => {
    const server = await start();
    const access = localAccess();
    expect(access).toMatchObject({ url: server.url, pin: server.pin });
    const answer = await askPinned(`${access.url}/api/v1/tenants`, {
      headers: bearer(access.token),
    });
    expect(answer.status).toBe(200);
    const data = path.join(folder, "data");
    for (const name of readdirSync(data, { recursive: true, encoding: "utf8" })) {
      const { mode } = statSync(path.join(data, name));
      if (!name.endsWith("-shm")) expect(mode & 0o077, name).toBe(0);
    }
    await server.stop();
    await start();
    expect(localAccess().token).toBe(access.token);
  });

  it("has no secret of its own in its database and its log", async () => {
    const server = await start();
    const { token } = localAccess();
    // bks_<id>_<secret>, in which there may be more of these strokes.
    const secrets = [token, server.firstAdminToken ?? ""].map((text) =>
      text.split("_").slice(2).join("_"),
    );
    for (const secret of secrets) expect(secret.length).toBeGreaterThan(20);
    await server.stop();
    const data = path.join(folder, "data");
    for (const name of readdirSync(data).filter((file) => file.startsWith("server.db")))
      for (const secret of secrets)
        expect(readFileSync(path.join(data, name)).includes(secret), name).toBe(false);
    for (const secret of secrets) expect(logged.join("")).not.toContain(secret);
  });

  it("keeps a second one out of its folder", async () => {
    await start();
    await expect(start()).rejects.toEqual(refusal("SERVER_RUNNING"));
  });

  it("leaves nothing open when it can't start", async () => {
    const first = await start();
    const port = Number(new URL(first.url).port);
    const other = { dataFolder: path.join(folder, "other") };
    await expect(start({ ...other, listen: { host: "127.0.0.1", port } })).rejects.toEqual(
      refusal("SERVER_ADDRESS"),
    );
    const file = path.join(folder, "other", "server.db");
    renameSync(file, `${file}.away`);
    writeFileSync(file, "no database ".repeat(1000));
    await expect(start(other)).rejects.toThrow(/no database/);
    renameSync(`${file}.away`, file);
    await start(other);
  });

  it("makes no new master key for a database that has one, and takes no other", async () => {
    const server = await start();
    await server.stop();
    const key = path.join(folder, "data", "keys", "master.key");
    renameSync(key, `${key}.away`);
    await expect(start()).rejects.toEqual(refusal("VAULT_KEY"));
    expect(existsSync(key)).toBe(false);
    writeFileSync(key, Buffer.alloc(32, 7).toString("base64"));
    await expect(start()).rejects.toEqual(refusal("VAULT_UNREADABLE"));
    renameSync(`${key}.away`, key);
    await start();
  });

  it("refuses what is no address of a database, without telling it", async () => {
    for (const database of ["mysql://u:hunter2@db/x", "postgres://u:hunter2@[x/y"]) {
      const error: unknown = await start({ database }).catch((reason: unknown) => reason);
      expect(isBackstayError(error, "DATABASE_UNREACHABLE")).toBe(true);
      const { cause, message } = error as Error;
      expect(`${message} ${JSON.stringify(cause)}`).not.toContain("hunter2");
    }
    expect(readdirSync(path.join(folder, "data"))).not.toContain("server.db");
  });

  it.runIf(process.getuid?.() === 0)("keeps out of a folder of another user", async () => {
    const server = await start();
    await server.stop();
    chownSync(path.join(folder, "data"), 12_345, 12_345);
    await expect(start()).rejects.toEqual(refusal("SERVER_PLACE"));
  });

  it("answers whether it lives, whether it works, what it understands, and its figures to who may see them", async () => {
    const server = await start();
    const ask = async (at: string, token?: string) =>
      await askPinned(`${server.url}${at}`, token === undefined ? {} : { headers: bearer(token) });
    expect(JSON.parse((await ask("/healthz")).text)).toMatchObject({ status: "alive" });
    expect(JSON.parse((await ask("/readyz")).text)).toEqual({ status: "ready" });
    const description = JSON.parse((await ask("/openapi.json")).text) as {
      openapi: string;
      paths: Record<string, Record<string, object>>;
    };
    expect(description.openapi).toBe("3.1.0");
    expect(description.paths["/api/v1/tenants"]?.["get"]).toMatchObject({
      security: [{ apiToken: [] }],
      responses: { default: { $ref: "#/components/responses/Problem" } },
    });
    expect((await ask("/metrics")).status).toBe(401);
    const { text } = await ask("/metrics", localAccess().token);
    expect(text).toContain(
      'backstay_http_request_seconds_count{method="GET",route="/healthz",status="200"} 1',
    );
    const missing = await ask("/nowhere");
    expect(missing.status).toBe(404);
    expect(JSON.parse(missing.text)).toMatchObject({ code: "not-found" });
  });

  it("declares what each of its routes needs of who asks", async () => {
    const { routes } = await start();
    expect(routes.length).toBeGreaterThan(20);
    for (const { url, access } of routes) {
      if (url.startsWith("/api/")) expect(access.kind, url).toBe("token");
      if (url.startsWith("/gateway/")) expect(access.kind, url).toBe("gateway");
      if (url.startsWith("/agent/")) expect(["agent", "public"], url).toContain(access.kind);
    }
    const open = routes.filter(({ access }) => access.kind === "public").map(({ url }) => url);
    const expected = ["/agent/v1/time", "/healthz", "/openapi.json", "/readyz"];
    for (const url of open) expect(expected).toContain(url);
  });

  it("refuses what is meant for its repositories when their folder is not there", async () => {
    const first = await start();
    const machine = await machineIn(path.join(folder, "data", "server.db"));
    const statusOf = async (server: RunningServer): Promise<number> =>
      await gatewayStatus(server, machine);
    expect(await statusOf(first)).toBe(404);
    await first.stop();
    const repositories = path.join(folder, "data", "repositories");
    renameSync(repositories, `${repositories}.away`);
    const second = await start();
    expect(await statusOf(second)).toBe(503);
    expect(logged.join("")).toContain("are not in this server's folder");
    expect(existsSync(repositories)).toBe(false);
    await second.stop();
    renameSync(`${repositories}.away`, repositories);
    expect(await statusOf(await start())).toBe(404);
  });

  it("limits how often one address may ask, each kind of traffic by itself", async () => {
    const server = await start({ rateLimits: { management: { burst: 3, perSecond: 0.01 } } });
    const statuses: number[] = [];
    for (let number = 0; number < 4; number++)
      statuses.push((await askPinned(`${server.url}/api/v1/tenants`)).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    const late = await askPinned(`${server.url}/api/v1/tenants`);
    expect(Number(late.headers["retry-after"])).toBeGreaterThan(1);
    expect((await askPinned(`${server.url}/healthz`)).status).toBe(200);
  });
});

describe("the certificate of a server", () => {
  const names = ["localhost", "127.0.0.1"];
  const write = (key: string, certificate: string): void => {
    writeFileSync(path.join(folder, "given.key"), key);
    writeFileSync(path.join(folder, "given.crt"), certificate);
    chmodSync(path.join(folder, "given.key"), 0o600);
  };
  const tls = () => ({
    certificateFile: path.join(folder, "given.crt"),
    keyFile: path.join(folder, "given.key"),
  });

  it("is renewed by the same key before it ends, so that pins hold", async () => {
    const server = await start();
    const file = path.join(folder, "data", "tls", "server.crt");
    const before = readFileSync(file, "utf8");
    await server.stop();
    const later = await start({ now: () => Date.now() + 350 * 86_400_000 });
    expect(readFileSync(file, "utf8")).not.toBe(before);
    expect((await askPinned(`${later.url}/healthz`)).pin).toBe(server.pin);
  });

  it("is read again when asked for, without breaking a connection; what can't be used is left aside", async () => {
    const keys = [makeCertificateKey(), makeCertificateKey()] as const;
    const [first, second] = keys.map((text) => createPrivateKey(text)) as [never, never];
    write(keys[0], makeCertificate(first, names, Date.now()));
    const server = await start({ tls: tls() });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const health = `${server.url}/healthz`;
    expect((await askPinned(health, { agent })).pin).toBe(pinOfKey(first));
    write("nonsense", "nonsense");
    await expect(server.reloadCertificate()).rejects.toEqual(refusal("TLS_FILES"));
    write(keys[0], makeCertificate(second, names, Date.now()));
    await expect(server.reloadCertificate()).rejects.toEqual(refusal("TLS_FILES"));
    expect((await askPinned(health)).pin).toBe(pinOfKey(first));
    write(keys[1], makeCertificate(second, names, Date.now()));
    await server.reloadCertificate();
    expect((await askPinned(health)).pin).toBe(pinOfKey(second));
    expect((await askPinned(health, { agent })).pin).toBe(pinOfKey(first));
    expect(localAccess().pin).toBe(pinOfKey(second));
    agent.destroy();
  });
});

describe("a server that is told to stop", () => {
  it("answers what is under way, takes nothing new, and frees its folder", async () => {
    const server = await start();
    const { token } = localAccess();
    const body = JSON.stringify({ name: "acme" });
    const answered = Promise.withResolvers<number>();
    const slow = request(`${server.url}/api/v1/tenants`, {
      method: "POST",
      rejectUnauthorized: false,
      headers: {
        ...bearer(token),
        "content-type": "application/json",
        "content-length": String(body.length),
        expect: "100-continue",
      },
    });
    slow.on("response", (answer) => answered.resolve(answer.statusCode ?? 0));
    slow.on("error", answered.reject);
    // From then on the server knows of the request.
    const isKnown = new Promise((resolve) => slow.on("continue", resolve));
    slow.flushHeaders();
    await isKnown;
    const stops = Promise.all([server.stop(), server.stop()]);
    await expect
      .poll(
        async () =>
          await askPinned(`${server.url}/healthz`).then(
            ({ status }) => status,
            () => "refused",
          ),
      )
      .not.toBe(200);
    slow.end(body);
    expect(await answered.promise).toBe(201);
    await stops;
    await start();
  });
});

describe.skipIf(postgresPrograms() === undefined)("servers that share a PostgreSQL", () => {
  let cluster: PostgresCluster;
  beforeAll(async () => {
    cluster = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    await cluster.stop();
  });

  it("may start together: they make one first administrator and one set of keys", async () => {
    const database = await cluster.createDatabase();
    const masterKeyFile = path.join(folder, "master.key");
    writeFileSync(masterKeyFile, Buffer.alloc(32, 9).toString("base64"));
    const servers = await Promise.all(
      ["a", "b", "c"].map(
        async (name) =>
          await start({ database, masterKeyFile, dataFolder: path.join(folder, name) }),
      ),
    );
    const [token = "", ...more] = servers.flatMap(({ firstAdminToken }) => firstAdminToken ?? []);
    expect(more).toEqual([]);
    const created = await askPinned(`${servers[0]?.url}/api/v1/tenants`, {
      method: "POST",
      headers: { ...bearer(token), "content-type": "application/json" },
      body: JSON.stringify({ name: "acme" }),
    });
    expect(created.status).toBe(201);
    expect(new Set(servers.map(({ pin }) => pin)).size).toBe(1);
    for (const { url, pin } of servers) {
      expect((await askPinned(`${url}/healthz`)).pin).toBe(pin);
      const seen = await askPinned(`${url}/api/v1/tenants`, { headers: bearer(token) });
      expect(JSON.parse(seen.text)).toMatchObject({ items: [{ name: "acme" }] });
    }
    const machine = await machineIn(database);
    const gateways = await Promise.all(
      servers.map(async (server) => await gatewayStatus(server, machine)),
    );
    expect(gateways.toSorted((a, b) => a - b)).toEqual([404, 503, 503]);
  });

  it("say which database is not there", async () => {
    const database = `${await cluster.createDatabase()}_not`;
    await expect(start({ database })).rejects.toThrow(/no such database/);
  });

  it("say that they are not ready while it is away, and go on by themselves when it is back", async () => {
    const database = await cluster.createDatabase();
    const server = await start({ database });
    const ask = async (at: string) => {
      const { status, text } = await askPinned(`${server.url}${at}`, {
        headers: bearer(localAccess().token),
      });
      return [status, (JSON.parse(text) as { code?: string }).code];
    };
    expect(await ask("/readyz")).toEqual([200, undefined]);
    await cluster.kill();
    expect(await ask("/readyz")).toEqual([503, "database-unreachable"]);
    expect(await ask("/api/v1/tenants")).toEqual([503, "database-unreachable"]);
    expect(await ask("/healthz")).toEqual([200, undefined]);
    await cluster.start();
    await expect.poll(async () => await ask("/readyz")).toEqual([200, undefined]);
    expect(await ask("/api/v1/tenants")).toEqual([200, undefined]);
  });
});
