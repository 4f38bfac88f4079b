import { afterEach, describe, expect, it } from "vitest";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Hold } from "../../protocol/session-record.ts";
import { JobsScene, preparedRun } from "../../test/jobs/jobs-scene.ts";
import {
  canceledReport,
  goodReport,
  say,
  sayProgress,
  sayReport,
  shellEngine,
} from "../../test/jobs/shell-engine.ts";
import type { JobRunnerOptions } from "./job-runner.ts";

let scene: JobsScene;

function begin(options: Partial<JobRunnerOptions> = {}): JobsScene {
  scene = new JobsScene(options);
  scene.jobs.start();
  return scene;
}

afterEach(async () => {
  expect(scene.failures).toEqual([]);
  await scene.remove();
});

/** Runs until its input ends, then reports as an engine does that was canceled. */
const patientEngine = shellEngine(
  sayProgress(1, 10),
  "trap '' TERM",
  "cat > /dev/null",
  sayReport(canceledReport),
);
const manual = { kind: "manual", text: "by hand" } as const;

describe("a session", () => {
  it("goes through its states, each in the journal before anybody is told", async () => {
    begin();
    const inJournal: (string | undefined)[] = [];
    scene.jobs.subscribe({
      changed: ({ id }) => inJournal.push(scene.state.sessions.get(id)?.state),
    });
    const session = await scene.run("a");
    expect(session).toMatchObject({
      state: "finished",
      outcome: "success",
      exitCode: 0,
      figures: { filesNew: 1 },
      engine: { processId: expect.any(Number) },
    });
    expect(inJournal).toEqual(["queued", "preparing", "running", "ending", "finished"]);
    expect(scene.jobs.lastGood("a")).toEqual(session);
    expect(scene.jobs.running()).toEqual([]);
  });

  it("shows progress and issues while it runs, and keeps the issues", async () => {
    begin({
      spawnEngine: shellEngine(
        sayProgress(1, 10),
        say({ type: "issue", issue: { path: "/x", code: "EACCES", message: "denied" } }),
        "trap '' TERM",
        sayProgress(4, 40),
        "cat > /dev/null",
        sayReport({ ...goodReport, outcome: "warning", exitCode: 3, issues: 1 }),
      ),
    });
    const told: string[] = [];
    const seen = Promise.withResolvers<void>();
    scene.jobs.subscribe({
      issue: (_id, { path }) => told.push(path),
      progress: (_id, { bytesDone }) => {
        told.push(String(bytesDone));
        if (bytesDone === 40) seen.resolve();
      },
    });
    const { id } = scene.request("a");
    await seen.promise;
    expect(told).toEqual(["10", "/x", "40"]);
    expect(scene.jobs.running()).toMatchObject([
      { session: { id }, progress: { filesDone: 4 }, remainingMs: 6000 },
    ]);
    expect(scene.jobs.session(id)?.issues).toMatchObject([{ path: "/x" }]);
    scene.jobs.cancel(id, { by: "user", text: "enough" });
    const session = await scene.ended({ id });
    // What has a restore point has succeeded, though it was asked to end.
    expect(session).toMatchObject({ outcome: "warning", exitCode: 3, issues: 1 });
    expect(scene.jobs.session(id)?.issues).toHaveLength(1);
  });

  it("that can't be prepared fails with the reason", async () => {
    begin({
      prepare: async () => {
        throw new BackstayError("PASSWORD_MISSING");
      },
    });
    expect(await scene.run("a")).toMatchObject({
      outcome: "failure",
      exitCode: 1,
      failure: { code: "PASSWORD_MISSING", remedy: expect.any(String) },
    });
    expect(scene.seen).toEqual(["a:queued", "a:preparing", "a:ending", "a:finished"]);
    expect(scene.jobs.failuresSinceGood("a")).toBe(1);
  });

  it("is canceled in order, in whatever state it is", async () => {
    const prepared = Promise.withResolvers<void>();
    const { jobs } = begin({
      sessionsAtOnce: 1,
      spawnEngine: patientEngine,
      prepare: async ({ policy }, signal) => {
        if (policy === "slow") {
          prepared.resolve();
          await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason)),
          );
        }
        return preparedRun();
      },
    });
    const request = { by: "user", text: "no" } as const;
    const running = scene.request("a");
    const waiting = scene.request("b");
    await scene.reached("a", "running");
    expect(jobs.cancel(waiting.id, request)).toBe(true);
    expect(await scene.ended(waiting)).toMatchObject({ outcome: "canceled", endedBy: request });
    expect(jobs.cancel(running.id, request)).toBe(true);
    expect(jobs.running()).toMatchObject([{ endRequest: request }]);
    expect(await scene.ended(running)).toMatchObject({
      outcome: "canceled",
      exitCode: 130,
      endedBy: request,
    });
    const preparing = scene.request("slow");
    await prepared.promise;
    expect(jobs.cancel(preparing.id, request)).toBe(true);
    expect(await scene.ended(preparing)).toMatchObject({ outcome: "canceled" });
    expect(jobs.cancel(preparing.id, request)).toBe(false);
    expect(jobs.cancel("0000000000000000", request)).toBe(false);
    await expect(
      jobs.finished("0000000000000000", AbortSignal.timeout(1000)),
    ).rejects.toMatchObject({
      code: "SESSION_NOT_FOUND",
    });
  });

  it("gives an engine its order with the secret, and shows the secret nowhere", async () => {
    begin({
      spawnEngine: shellEngine(`echo "it is: $order" >&2`, "exit 7"),
    });
    const session = await scene.run("a");
    expect(session.failure).toMatchObject({
      code: "ENGINE_DIED",
      lastWords: expect.stringMatching(/^it is: .*"password":"\*\*\*"/),
    });
    expect(JSON.stringify(scene.state.sessions.list({}))).not.toContain("the secret");
  });
});

describe("the queue", () => {
  it("takes one session a policy: requests for a policy that waits or runs are one", async () => {
    const { jobs } = begin({ sessionsAtOnce: 1, spawnEngine: patientEngine });
    const first = jobs.request(scene.requestOf("a"));
    const again = jobs.request(scene.requestOf("a"));
    expect([first.joined, again.joined]).toEqual([false, true]);
    expect(again.session.id).toBe(first.session.id);
    const waits = jobs.request(scene.requestOf("b"));
    const stronger = jobs.request(scene.requestOf("b", { cause: manual, priority: 5 }));
    expect(stronger).toMatchObject({
      joined: true,
      session: { id: waits.session.id, priority: 5 },
    });
    expect(stronger.session.cause.kind).toBe("manual");
    jobs.request(scene.requestOf("b", { priority: 1 }));
    expect(jobs.queued()).toMatchObject([{ session: { priority: 5, cause: manual } }]);
  });

  it("starts the higher priority first, else the older one, and never two on one repository", async () => {
    begin({ sessionsAtOnce: 2 });
    scene.jobs.pause({ reason: "until all are there" });
    const same = { repository: "/same" };
    const all = [
      scene.request("a", same),
      scene.request("b", { priority: 7, ...same }),
      scene.request("c", same),
      scene.request("d"),
    ];
    const together: string[][] = [];
    scene.jobs.subscribe({
      changed: () => together.push(scene.jobs.running().map(({ session }) => session.policy)),
    });
    expect(scene.jobs.queued().map(({ session }) => session.policy)).toEqual(["b", "a", "c", "d"]);
    scene.jobs.resume();
    await Promise.all(all.map((session) => scene.ended(session)));
    const started = scene.seen.filter((text) => text.endsWith(":preparing"));
    expect(started.filter((text) => text !== "d:preparing")).toEqual([
      "b:preparing",
      "a:preparing",
      "c:preparing",
    ]);
    expect(started.indexOf("d:preparing")).toBe(1);
    for (const policies of together)
      expect(policies.filter((policy) => policy !== "d").length).toBeLessThanOrEqual(1);
  });

  it("runs no more sessions at once than it may, and says why others wait", async () => {
    const { jobs } = begin({ spawnEngine: patientEngine });
    const ids = ["a", "b", "c", "d"].map(
      (policy) => scene.request(policy, policy === "d" ? { repository: "/backup/a" } : {}).id,
    );
    expect(jobs.running().map(({ session }) => session.policy)).toEqual(["a", "b"]);
    expect(jobs.queued().map(({ hold }) => hold?.code)).toEqual([
      "sessions-at-once",
      "repository-busy",
    ]);
    for (const id of ids) jobs.cancel(id, { by: "user", text: "enough" });
    for (const id of ids) await scene.ended({ id });
  });

  it("waits for what a rule says, and looks again when that ends or somebody says so", async () => {
    const holds = new Map<string, Hold>([
      ["battery", { code: "battery", text: "12 % left" }],
      ["soon", { code: "network", text: "metered", untilMs: Date.now() + 50 }],
    ]);
    const { jobs } = begin({
      hold: ({ policy }) => {
        const hold = holds.get(policy);
        return hold?.untilMs !== undefined && hold.untilMs <= Date.now() ? undefined : hold;
      },
    });
    const battery = scene.request("battery");
    expect(await scene.run("soon")).toMatchObject({ outcome: "success" });
    expect(jobs.queued()).toMatchObject([
      { session: { policy: "battery" }, hold: { code: "battery" } },
    ]);
    holds.clear();
    jobs.reconsider();
    expect(await scene.ended(battery)).toMatchObject({ outcome: "success" });
  });

  it("is bounded", async () => {
    const { jobs } = begin();
    jobs.pause({ reason: "all" });
    for (let i = 0; i < 200; i += 1) scene.request(`p${i}`);
    expect(() => scene.request("one-more")).toThrow(BackstayError);
    expect(jobs.request(scene.requestOf("p7")).joined).toBe(true);
    expect(jobs.queued()).toHaveLength(200);
  });
});

describe("a pause", () => {
  it("holds everything but runs by hand, says when it ends, and survives a restart", async () => {
    begin();
    const untilMs = Date.now() + 3_600_000;
    scene.jobs.pause({ reason: "a presentation", untilMs });
    const held = scene.request("a");
    expect(scene.jobs.queued()).toMatchObject([
      { hold: { code: "paused", text: "a presentation", untilMs } },
    ]);
    expect(await scene.run("b", { cause: manual })).toMatchObject({ outcome: "success" });
    scene.restart();
    scene.jobs.start();
    expect(scene.jobs.pauses()).toMatchObject([{ reason: "a presentation", untilMs }]);
    expect(scene.jobs.queued()).toMatchObject([{ session: { id: held.id } }]);
    expect(scene.jobs.resume()).toBe(1);
    expect(await scene.ended(held)).toMatchObject({ outcome: "success" });
    expect(scene.jobs.resume()).toBe(0);
  });

  it("of one policy holds only that, and ends by itself", async () => {
    begin();
    scene.jobs.pause({ policy: "a", reason: "move", untilMs: Date.now() + 60 });
    const held = scene.request("a");
    expect(await scene.run("b")).toMatchObject({ outcome: "success" });
    expect(await scene.ended(held)).toMatchObject({ outcome: "success" });
    expect(scene.jobs.pauses()).toEqual([]);
    expect(held.queuedMs + 60).toBeLessThanOrEqual((await scene.ended(held)).startedMs ?? 0);
  });

  it("asked for by hand starts a session that a pause holds already", async () => {
    begin();
    scene.jobs.pause({ reason: "for good" });
    const held = scene.request("a");
    const ticket = scene.jobs.request(scene.requestOf("a", { cause: manual }));
    expect(ticket.joined).toBe(true);
    expect(await scene.ended(held)).toMatchObject({ outcome: "success", cause: manual });
  });
});

describe("the end of the daemon", () => {
  it("ends what runs as interrupted, starts nothing more, and keeps the queue", async () => {
    begin({ sessionsAtOnce: 1, spawnEngine: patientEngine });
    const running = scene.request("a");
    const waiting = scene.request("b");
    await scene.reached("a", "running");
    await scene.jobs.stop(10_000);
    expect(scene.state.sessions.get(running.id)).toMatchObject({
      state: "finished",
      outcome: "interrupted",
      endedBy: { by: "shutdown" },
    });
    expect(() => scene.request("c")).toThrow(/ending/);
    expect(scene.state.sessions.get(waiting.id)?.state).toBe("queued");
    scene.restart({});
    scene.jobs.start();
    expect(await scene.ended(waiting)).toMatchObject({ outcome: "success" });
  });

  it("kills an engine that does not end in time", async () => {
    begin({
      spawnEngine: shellEngine("trap '' TERM", say({ type: "alive" }), "while :; do sleep 1; done"),
    });
    const running = scene.request("a");
    await scene.reached("a", "running");
    await scene.jobs.stop(100);
    expect(scene.state.sessions.get(running.id)).toMatchObject({ outcome: "interrupted" });
  });
});

it("a mistake of ours ends the session and keeps nothing busy", async () => {
  const limits = openProcessLimits();
  let calls = 0;
  begin({
    limits: {
      yieldToOthers: () => limits.yieldToOthers(),
      residentBytes: (id) => limits.residentBytes(id),
      startOf: (id) => limits.startOf(id),
      boot: () => {
        calls += 1;
        if (calls === 1) throw new TypeError("a mistake");
        return limits.boot();
      },
    },
  });
  const { state, outcome, failure } = await scene.run("a");
  expect([state, outcome, failure?.code]).toEqual(["finished", "failure", "INTERNAL"]);
  expect(scene.failures).toHaveLength(1);
  scene.failures.length = 0;
  expect(await scene.run("a")).toMatchObject({ outcome: "success" });
});

describe("what is no backup", () => {
  const task = {
    kind: "restore",
    snapshot: "latest",
    paths: [],
    target: "/restored",
    overwrite: "never",
    verify: false,
    origin: "machine",
  } as const;

  it("is a session of its own, which scripts have nothing to do with", async () => {
    begin({
      spawnEngine: patientEngine,
      scripts: () => ({ preJob: { command: ["/bin/false"], timeoutMs: 1000, required: true } }),
    });
    const first = scene.request("a", { task });
    const second = scene.request("a", { task });
    expect(first.id).not.toBe(second.id);
    expect(first).toMatchObject({ kind: "restore", task });
    await scene.reached("a", "running");
    for (const { id } of [first, second]) scene.jobs.cancel(id, { by: "user", text: "enough" });
    expect((await scene.ended(first)).outcome).toBe("canceled");
  });

  it("waits for no backup and keeps none waiting if it is a restore; a check does", async () => {
    begin({ spawnEngine: patientEngine });
    const restore = scene.request("a", { task });
    const backup = scene.request("a");
    const check = scene.request("a", { task: { kind: "check", data: "structure" } });
    await scene.reached("a", "running");
    const running = (): string[] => scene.jobs.running().map(({ session }) => session.kind);
    expect(running()).toEqual(["restore", "backup"]);
    expect(scene.jobs.queued()).toMatchObject([
      { session: { id: check.id }, hold: { code: "policy-busy" } },
    ]);
    for (const { id } of [restore, backup, check])
      scene.jobs.cancel(id, { by: "user", text: "enough" });
    await scene.ended(backup);
  });

  it("says nothing of how good the backups of its policy are", async () => {
    const { backup: _, ...rest } = goodReport;
    const check = { snapshots: 1, packs: 2, packsRead: 0, bytesRead: 0, problems: 0 };
    const engines = [
      shellEngine(sayReport(goodReport)),
      shellEngine(sayReport({ ...rest, check })),
    ];
    begin({ spawnEngine: () => (engines.shift() ?? shellEngine(""))() });
    await scene.run("a");
    const good = scene.jobs.lastGood("a");
    const checked = await scene.run("a", { task: { kind: "check", data: "structure" } });
    expect(checked).toMatchObject({ outcome: "success", checked: check });
    expect(scene.jobs.lastGood("a")?.id).toBe(good?.id);
    const ofKind = scene.jobs.sessions({ policy: "a", kinds: ["check"] });
    expect(ofKind.map(({ kind }) => kind)).toEqual(["check"]);
  });
});
