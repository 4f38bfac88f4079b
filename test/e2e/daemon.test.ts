/** The real daemon: it runs policies by itself, says the truth about them, and what it stores can be restored. */
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DaemonScene, until } from "../daemon/daemon-scene.ts";
import { type PrivateBus, startPrivateBus } from "../dbus/private-bus.ts";
import { describeWithPrivateBus } from "../dbus/with-private-bus.ts";
import { compareTrees } from "../tree-comparison.ts";

const everySecond = 'schedule: { timers: [ { every: cron, expression: "* * * * * *" } ] }';

describe.skipIf(process.platform === "win32")("a daemon with policies in files", () => {
  let scene: DaemonScene;

  beforeEach(() => {
    scene = new DaemonScene();
  });
  afterEach(async () => await scene.remove());

  it("runs a policy on its schedule, shows that it did, and what it stored can be restored", async () => {
    await scene.storeSecret();
    scene.writePolicy("documents", [everySecond]);
    await scene.start();
    const session = await scene.session();
    expect(session).toMatchObject({ outcome: "success", policy: "documents" });
    expect(session.cause.kind).toBe("schedule");

    const status = await scene.cli(["status"]);
    expect(status.exitCode, status.stdout).toBe(0);
    expect(status.stdout).toContain("everything is as it should be");
    expect(status.stdout).toMatch(/last good backup\s+just now/);

    const restored = scene.at("restored");
    await scene.repository.succeed("restore", "latest", "--target", restored);
    const source = scene.at("source");
    expect(compareTrees(source, path.join(restored, source)).differenceCount).toBe(0);

    expect(await scene.end()).toBe(0);
    const log = scene.log();
    expect(log.map(({ text }) => text)).toContain("The daemon has ended.");
    expect(JSON.stringify(log)).not.toContain(scene.password);
  });

  it("takes up new, changed and broken policy files by itself", async () => {
    await scene.storeSecret();
    await scene.start();
    expect((await scene.status()).policies).toEqual([]);
    scene.writePolicy("documents");
    await until("the policy is in force", async () => (await scene.status()).policies.length === 1);
    const file = scene.at("config/policies/documents.yaml");
    const good = readFileSync(file, "utf8");
    writeFileSync(file, `${good}retention: { keepDays: many }\n`);
    await until("the mistake is told", async () => {
      const { health } = await scene.status();
      return health.reasons.some(({ code }) => code === "POLICY_INVALID");
    });
    const broken = await scene.status();
    expect(broken.policies.map(({ name }) => name)).toEqual(["documents"]);
    expect(broken.health).toMatchObject({ level: "error" });
    expect(JSON.stringify(broken.health.reasons)).toContain("line 6");
    writeFileSync(file, `${good}priority: 5\n`);
    scene.signal("SIGHUP");
    await until("all is well", async () => (await scene.status()).health.level === "ok");
    const detail = await scene.client.policy("documents", new AbortController().signal);
    expect(detail.effective).toContainEqual({ path: "priority", value: 5, origin: "policy" });
  });

  it("tells what is missing: a secret, a folder of the source", async () => {
    scene.writePolicy("documents");
    await scene.start();
    const { health } = await scene.status();
    expect(health.reasons).toContainEqual(
      expect.objectContaining({ code: "SECRET_MISSING", subject: "repository" }),
    );
    await scene.storeSecret();
    scene.writePolicy("documents", [], "repository");
    const source = `source: { paths: ["${scene.at("source")}", "${scene.at("gone")}"] }`;
    const file = scene.at("config/policies/documents.yaml");
    writeFileSync(file, readFileSync(file, "utf8").replace(/^source:.*$/m, source));
    await scene.client.reload(new AbortController().signal);
    const run = await scene.cli(["run", "documents", "--wait"]);
    expect(run.exitCode, run.stderr).toBe(3);
    const session = await scene.session();
    expect(session).toMatchObject({ outcome: "warning", exitCode: 3, cause: { kind: "manual" } });
    const detail = await scene.client.session(session.id, new AbortController().signal);
    expect(detail.issues).toContainEqual(expect.objectContaining({ path: scene.at("gone") }));
  });

  it("lets no second daemon into its home, and serves metrics where it is told to", async () => {
    appendFileSync(scene.at("config/agent.yaml"), "metrics: { address: 127.0.0.1:39750 }\n");
    scene.writePolicy("documents");
    await scene.start();
    const second = new DaemonScene();
    await second.remove();
    Object.assign(second.environment, { BACKSTAY_HOME: scene.home });
    await expect(second.start()).rejects.toThrow(/already in the same place/);
    const answer = await fetch("http://127.0.0.1:39750/metrics");
    const text = await answer.text();
    expect(text).toContain('backup_overdue{policy="documents"} 0');
    expect(text).toMatch(/^backstay_info\{version="[\d.]+"\} 1$/m);
  });
});

describeWithPrivateBus("a daemon on a system bus", () => {
  let bus: PrivateBus;
  let scene: DaemonScene;

  beforeEach(async () => {
    bus = await startPrivateBus("logind", "upower", "networkManager");
    scene = new DaemonScene({ environment: bus.environment });
    await scene.storeSecret();
  });
  afterEach(async () => {
    await scene.remove();
    await bus.stop();
  });

  it("starts a run when a screen is locked", async () => {
    await bus.addSession("c1", "ann");
    scene.writePolicy("documents", ["schedule: { events: [lock] }"]);
    await scene.start();
    expect((await scene.status()).policies[0]?.next.reason).toBe("when a screen is locked");
    await bus.setLocked("c1", true);
    const session = await scene.session();
    expect(session).toMatchObject({
      outcome: "success",
      cause: { kind: "event", text: "lock of ann" },
    });
  });

  it("holds scheduled runs back on a low battery, says so, and lets those by hand through", async () => {
    await bus.setPower(true, 10);
    scene.writePolicy("documents", [everySecond]);
    await scene.start();
    await until("the run waits", async () => {
      const { waiting } = await scene.status();
      return waiting[0]?.hold?.code === "battery";
    });
    expect(await scene.sessions()).toHaveLength(1);
    await bus.setPower(false, 10);
    expect(await scene.session()).toMatchObject({ outcome: "success" });
  });
});
