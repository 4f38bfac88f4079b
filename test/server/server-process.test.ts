/** The server as people run it: its launcher, signals, its own command line, copies of it, and replicas. */
import { createPrivateKey } from "node:crypto";
import { chmodSync, cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent } from "node:https";
import { tmpdir } from "node:os";
import path from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pinOfKey } from "../../platform/server-pins.ts";
import { makeCertificate, makeCertificateKey } from "../../server/serve/own-certificate.ts";
import { until } from "../daemon/daemon-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { NotifyServer } from "../notified-process/notify-server.ts";
import { askPinned } from "./pinned-request.ts";
import { postgresPrograms, startPostgres } from "./postgres-cluster.ts";

let folder = "";
let scene: ServerScene | undefined;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "backstay-process-"));
});
afterEach(async () => {
  await scene?.remove();
  scene = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** Writes a key and a certificate of it as given files, and returns its pin. */
function giveCertificate(): string {
  const text = makeCertificateKey();
  const key = createPrivateKey(text);
  writeFileSync(path.join(folder, "given.key"), text);
  chmodSync(path.join(folder, "given.key"), 0o600);
  writeFileSync(path.join(folder, "given.crt"), makeCertificate(key, ["127.0.0.1"], Date.now()));
  return pinOfKey(key);
}

async function createTenant(server: ServerScene, name: string): Promise<void> {
  await server.client().post("/api/v1/tenants", { name });
}

function changeDatabase(file: string, statement: string): void {
  const database = new Database(file);
  try {
    database.exec(statement);
  } finally {
    database.close();
  }
}

describe("backstay-server serve", () => {
  it("reads its certificate again at SIGHUP, keeps connections, and ends in order at SIGTERM", async () => {
    const before = giveCertificate();
    const files = ["given.crt", "given.key"].map((name) => path.join(folder, name));
    const args = ["--tls-cert", files[0] ?? "", "--tls-key", files[1] ?? ""];
    const socket = path.join(folder, "notify");
    const manager = new NotifyServer(socket);
    scene = await ServerScene.start({ args, environment: { NOTIFY_SOCKET: socket } });
    const health = `${scene.url()}/healthz`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await askPinned(health, { agent })).pin).toBe(before);
    const after = giveCertificate();
    process.kill(scene.processIds[0] ?? 0, "SIGHUP");
    await until("the new certificate", async () => (await askPinned(health)).pin === after);
    const readies = (): number =>
      manager.messages().filter((message) => message.startsWith("READY=1")).length;
    await until("it says that it is ready again", async () => readies() === 2);
    // Of the connection from before: it was never broken.
    expect(await askPinned(health, { agent })).toMatchObject({ status: 200, pin: before });
    agent.destroy();
    expect(await scene.endReplica(0, "SIGTERM")).toBe(0);
    const told = manager.messages().map((message) => /^[A-Z]+(?==)/.exec(message)?.[0]);
    manager.close();
    expect(told).toEqual(["READY", "RELOADING", "READY", "STOPPING"]);
    // What a service prints goes into the journal.
    expect(scene.output).not.toContain("bks_");
  });

  it("tells in words what it refuses to start with", async () => {
    scene = await ServerScene.start();
    const data = scene.data();
    const refusal = async (...more: string[]): Promise<string> => {
      const listen = ["--listen", "127.0.0.1:0"];
      const { exitCode, stderr } = (await scene?.cli(["serve", ...listen, ...more])) ?? {};
      expect(exitCode).toBe(1);
      return stderr ?? "";
    };
    expect(await refusal("--data", data)).toContain("Another server runs already");
    const nowhere = ["--database", "postgres://u:hunter2@127.0.0.1:1/x"];
    const unreached = await refusal("--data", path.join(folder, "new"), ...nowhere);
    expect(unreached).toContain("nobody listens at this address");
    expect(unreached).not.toContain("hunter2");
    await scene.endReplica();
    const otherKey = path.join(folder, "other.key");
    writeFileSync(otherKey, Buffer.alloc(32, 3).toString("base64"));
    const locked = await refusal("--data", data, "--master-key-file", otherKey);
    expect(locked).toContain("Give the server the master key that belongs to the database");
    changeDatabase(
      path.join(data, "server.db"),
      "INSERT INTO migrations SELECT max(number) + 1, 'later', 'x' FROM migrations",
    );
    expect(await refusal("--data", data)).toContain("made by a newer version");
  });
});

describe("the audit log of a server", () => {
  it("shows to `audit verify` which entry somebody has changed in the database", async () => {
    scene = await ServerScene.start();
    for (const name of ["acme", "umbrella"]) await createTenant(scene, name);
    expect(await scene.succeed(["audit", "verify"])).toContain("all as they were written");
    await scene.endReplica();
    const { length } = await entriesOf(scene);
    changeDatabase(
      path.join(scene.data(), "server.db"),
      `UPDATE audit SET target = 'nobody' WHERE sequence = ${length}`,
    );
    await scene.startReplica();
    const { exitCode, stdout } = await scene.cli(["audit", "verify"]);
    expect(scene.output.match(/bks_/g)).toHaveLength(1);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`Entry ${length} is missing or was altered`);
  });
});

async function entriesOf(server: ServerScene): Promise<unknown[]> {
  const database = new Database(path.join(server.data(), "server.db"), { readonly: true });
  try {
    return database.prepare("SELECT sequence FROM audit").all();
  } finally {
    database.close();
  }
}

describe("a copy of a server", () => {
  it("is made while it runs, and is the same server for whoever knew it", async () => {
    scene = await ServerScene.start();
    await createTenant(scene, "acme");
    const { pin, token } = scene.access();
    const copy = path.join(folder, "copy");
    await scene.succeed(["save", "--data", scene.data(), "--to", copy]);
    await createTenant(scene, "made-after-the-copy");
    const again = await scene.cli(["save", "--data", scene.data(), "--to", copy]);
    expect(again).toMatchObject({ exitCode: 1 });
    await scene.endReplica(0, "SIGKILL");
    rmSync(scene.data(), { recursive: true });
    cpSync(copy, scene.data(), { recursive: true });
    await scene.startReplica();
    expect(scene.access().pin).toBe(pin);
    const tenants = await askPinned(`${scene.url()}/api/v1/tenants`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(JSON.parse(tenants.text)).toMatchObject({ items: [{ name: "acme" }] });
    expect(await scene.succeed(["audit", "verify"])).toContain("all as they were written");
  });
});

describe.skipIf(postgresPrograms() === undefined)("two replicas with one master key", () => {
  it("are one server: what one is told the other knows, also when the first has gone", async () => {
    const cluster = await startPostgres();
    try {
      scene = await ServerScene.start({ database: await cluster.createDatabase(), replicas: 2 });
      expect(scene.access(1).pin).toBe(scene.access(0).pin);
      const { token } = scene.access(0);
      await createTenant(scene, "acme");
      expect(await scene.endReplica(0, "SIGTERM")).toBe(0);
      const seen = await askPinned(`${scene.url(1)}/api/v1/tenants`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(JSON.parse(seen.text)).toMatchObject({ items: [{ name: "acme" }] });
      const { body } = await scene.client(1).get("/api/v1/audit/verification");
      expect(body).toMatchObject({ brokenAt: null });
    } finally {
      await scene?.remove();
      scene = undefined;
      await cluster.stop();
    }
  });
});
