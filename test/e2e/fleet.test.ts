/** A real machine with a real server: what it is given, what it tells, and how it goes on alone. */
import { randomBytes } from "node:crypto";
import { appendFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { until } from "../daemon/daemon-scene.ts";
import { ManagedScene } from "../fleet/managed-scene.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { compareTrees } from "../tree-comparison.ts";

describe.skipIf(process.platform === "win32")("a machine with a server", () => {
  let server: ServerScene;
  let scene: ManagedScene;

  beforeAll(async () => {
    server = await ServerScene.start();
  });
  afterAll(async () => await server.remove());
  beforeEach(async () => {
    scene = await ManagedScene.make(server);
  });
  afterEach(async () => await scene.remove());

  it("runs the server's policy by command, reports it, and does what else it is told to", async () => {
    await scene.addPolicy();
    await scene.join();
    const run = await scene.command({ kind: "run", policy: "documents", cause: "manual" });
    expect(run).toMatchObject({ state: "succeeded", errorCode: null });
    const { policy, outcome, report } = await scene.report(run.sessionId ?? "");
    expect({ policy, outcome }).toEqual({ policy: "documents", outcome: "success" });
    expect(report).toMatchObject({ route: "gateway", session: { cause: { kind: "manual" } } });

    const target = scene.machine.at("restored");
    expect(await scene.restore(target)).toMatchObject({ state: "succeeded" });
    const source = scene.machine.at("source");
    expect(compareTrees(source, path.join(target, source)).differenceCount).toBe(0);
    const check = await scene.command({ kind: "check", policy: "documents", data: "all" });
    expect(check).toMatchObject({
      state: "succeeded",
      text: expect.stringContaining("0 problems"),
    });
    expect(await scene.command({ kind: "run", policy: "none", cause: "manual" })).toMatchObject({
      state: "rejected",
      errorCode: "POLICY_UNKNOWN",
    });

    const logs = await scene.command({ kind: "collect-logs" });
    const parts: Uint8Array[] = [];
    const file = `/api/v1/commands/${logs.id}/upload`;
    await server.client().download(file, async (bytes) => void parts.push(bytes));
    const archive = gunzipSync(Buffer.concat(parts)).toString();
    expect(archive).toContain(run.sessionId);
    expect(archive).toContain('"documents"');
    expect(await scene.command({ kind: "clear-cache" })).toMatchObject({ state: "succeeded" });

    const { stdout } = await scene.machine.cli(["status"]);
    expect(stdout).toContain("everything is as it should be");
    expect(stdout).toContain("through the gateway");
    expect(stdout).toContain(`server ${server.url()} (Fleet`);
    await until("the server knows how the machine is", async () => {
      const { live } = await scene.agent();
      return live?.health === "ok" && live.acceptedSerial !== null;
    });
  });

  it("ends a running backup by command, and both sides know that it was canceled", async () => {
    writeFileSync(scene.machine.at("source/noise"), randomBytes(4_000_000));
    // It would take four minutes.
    await scene.addPolicy({ limits: { uploadPerSecond: "16 KiB" } });
    await scene.join();
    const run = await scene.send({ kind: "run", policy: "documents", cause: "manual" });
    await until("the session runs", async () =>
      (await scene.machine.sessions()).some(({ state }) => state === "running"),
    );
    expect(await scene.command({ kind: "stop", policy: "documents" })).toMatchObject({
      state: "succeeded",
      text: "Sessions that were asked to end: 1.",
    });
    const { state, sessionId } = await scene.ended(run);
    expect(state).toBe("canceled");
    const { outcome } = await scene.report(sessionId ?? "");
    expect(outcome).toBe("canceled");
  });

  it("leaves by command and by hand: the server's policies end, the machine's own and all backups stay", async () => {
    await scene.machine.storeSecret();
    scene.machine.writePolicy("own");
    await scene.addPolicy();
    await scene.join();
    expect((await scene.machine.status()).policies.map(({ name }) => name)).toEqual([
      "documents",
      "own",
    ]);
    await scene.run();
    const { id } = await scene.agent();
    expect(await scene.command({ kind: "leave" })).toMatchObject({ state: "succeeded" });
    await until("the machine has left", async () => {
      const { agent, policies } = await scene.machine.status();
      return agent.server === undefined && policies.length === 1;
    });
    const places = { "{tenant}": scene.tenantId, "{agent}": id };
    const folder = Object.entries(places).reduce(
      (text, [name, value]) => text.replace(name, value),
      scene.gatewayFolder,
    );
    expect(existsSync(path.join(folder, "config"))).toBe(true);
    const again = await scene.machine.cli(["leave"]);
    expect(again.stderr).toContain("not enrolled");
  });

  it("goes on alone while the server is away, and tells of it later, once", async () => {
    await scene.addDirectRoute();
    await scene.addPolicy();
    await scene.join();
    const before = await scene.run();
    expect(before.route).toBe("gateway");
    await scene.report(before.id);
    await server.endReplica();
    appendFileSync(scene.machine.at("source/letter.txt"), "more\n");
    const alone = await scene.run();
    expect(alone).toMatchObject({ route: "direct", isDetour: true, outcome: "success" });
    const { health } = await scene.machine.status();
    expect(health.reasons).toContainEqual(
      expect.objectContaining({ code: "ROUTE_CHANGED", subject: "documents" }),
    );
    // Nothing of that is lost with the daemon either.
    await scene.machine.end("SIGKILL");
    await scene.machine.start();
    const { agent, policies } = await scene.machine.status();
    expect(policies.map(({ name }) => name)).toEqual(["documents"]);
    expect(agent.server?.reportsWaiting).toBe(1);
    expect((await scene.machine.cli(["sync"])).exitCode).not.toBe(0);
    await server.startReplica();
    await scene.sync();
    await scene.report(alone.id);
    const ids = (await scene.reports()).map(({ report }) => String(report["id"]));
    expect(ids.toSorted()).toEqual([`session-${before.id}`, `session-${alone.id}`].toSorted());
  });

  it("takes nothing older and says nothing twice after its state was set back to yesterday's", async () => {
    const policy = await scene.addPolicy();
    await scene.join();
    const first = await scene.run();
    await scene.report(first.id);
    const state = scene.machine.at("state");
    await scene.machine.end();
    cpSync(state, scene.machine.at("yesterday"), { recursive: true });
    await scene.machine.start();
    await scene.changePolicy(policy, { tags: ["newer"] });
    await scene.sync();
    const serial = (await scene.machine.status()).agent.server?.serial ?? 0;
    const run = await scene.command({ kind: "run", policy: "documents", cause: "manual" });
    await scene.report(run.sessionId ?? "");
    await scene.machine.end("SIGKILL");
    rmSync(state, { recursive: true });
    cpSync(scene.machine.at("yesterday"), state, { recursive: true });
    await scene.machine.start();
    await scene.sync();
    const { server: stand } = (await scene.machine.status()).agent;
    expect(stand?.serial).toBeGreaterThanOrEqual(serial);
    expect(stand).not.toHaveProperty("problem");
    const detail = await scene.machine.client.policy("documents", new AbortController().signal);
    expect(detail.effective).toContainEqual(
      expect.objectContaining({ path: "tags", value: ["newer"] }),
    );
    const ids = (await scene.reports()).map(({ report }) => String(report["id"]));
    expect(ids.toSorted()).toEqual(
      [first.id, run.sessionId].map((id) => `session-${id}`).toSorted(),
    );
    expect(readFileSync(scene.machine.at("state/log/backstayd.log"), "utf8")).not.toContain(
      "can't be used",
    );
  });

  it("starts what the server's schedule says, and nothing of it by itself", async () => {
    const timers = [{ every: "cron", expression: "* * * * * *" }];
    await scene.addPolicy({ schedule: { timers } }, "server");
    await scene.join();
    const { next } = (await scene.machine.status()).policies[0] ?? {};
    expect(next?.reason).toBe("the server starts it");
    const run = await scene.command({ kind: "run", policy: "documents", cause: "schedule" });
    expect(run).toMatchObject({ state: "succeeded" });
    const sessions = await scene.machine.sessions();
    expect(sessions.map(({ id }) => id)).toEqual([run.sessionId]);
    expect(sessions[0]?.cause).toEqual({ kind: "schedule", text: "the server's schedule" });
  });
});
