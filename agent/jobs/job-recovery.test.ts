import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { JobsScene } from "../../test/jobs/jobs-scene.ts";
import { canceledReport, goodReport } from "../../test/jobs/shell-engine.ts";
import { sampleSession } from "../../test/state/state-samples.ts";
import type { JobRunnerOptions } from "./job-runner.ts";

const limits = openProcessLimits();
let scene: JobsScene;
let orphans: ChildProcess[];

beforeEach(() => {
  scene = new JobsScene();
  orphans = [];
});
afterEach(async () => {
  for (const orphan of orphans) orphan.kill("SIGKILL");
  expect(scene.failures).toEqual([]);
  await scene.remove();
});

/** What an earlier daemon has left in the journal. */
function left(given: Partial<SessionRecord>): SessionRecord {
  const session = sampleSession({ policy: "a", boot: limits.boot().id, startedMs: 1, ...given });
  scene.state.sessions.put(session);
  return session;
}

/** A process that stands for an engine without a daemon. */
async function orphan(script: string): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", script], { stdio: "ignore", detached: true });
  orphans.push(child);
  await once(child, "spawn");
  return child;
}

const engineOf = ({ pid = 0 }: ChildProcess) => ({
  processId: pid,
  start: limits.startOf(pid) ?? "",
});

function leaveReport(session: SessionRecord, report: object): string {
  mkdirSync(scene.reportFolder, { recursive: true });
  const file = path.join(scene.reportFolder, `${session.id}.json`);
  writeFileSync(file, JSON.stringify(report));
  return file;
}

function start(options: Partial<JobRunnerOptions> = {}): void {
  scene.restart(options);
  scene.jobs.start();
}

describe("sessions that an earlier daemon has left", () => {
  it.each(["preparing", "running", "ending"] as const)(
    "%s, are interrupted, once",
    async (state) => {
      const session = left({ state });
      start();
      const ended = await scene.ended(session);
      expect(ended).toMatchObject({
        state: "finished",
        outcome: "interrupted",
        failure: { code: "SESSION_INTERRUPTED", message: expect.stringContaining("daemon") },
      });
      const finished = scene.seen.filter((text) => text === "a:finished");
      expect(finished).toHaveLength(1);
      start();
      expect(scene.jobs.running()).toEqual([]);
      expect(scene.state.sessions.get(session.id)).toEqual(ended);
      expect(scene.seen.filter((text) => text === "a:finished")).toHaveLength(1);
    },
  );

  it("queued, run now", async () => {
    const session = left({ state: "queued" });
    start();
    expect(await scene.ended(session)).toMatchObject({ outcome: "success" });
  });

  it("before a restart of the machine, say so, whatever process has the id now", async () => {
    const other = await orphan("sleep 600");
    const session = left({ state: "running", boot: "another", engine: engineOf(other) });
    start();
    expect((await scene.ended(session)).failure?.message).toContain("restarted");
    expect(limits.startOf(other.pid ?? 0)).toBeDefined();
  });

  it("whose engine came to its end have its outcome", async () => {
    const good = left({ state: "running" });
    const failed = left({ state: "running", policy: "b" });
    const canceled = left({ state: "running", policy: "c" });
    const torn = left({ state: "running", policy: "d" });
    const file = leaveReport(good, goodReport);
    const error = { code: "STORE_FULL", kind: "permanent", message: "full", remedy: "Free." };
    leaveReport(failed, { outcome: "failure", exitCode: 1, issues: 2, error });
    leaveReport(canceled, canceledReport);
    leaveReport(torn, goodReport);
    writeFileSync(path.join(scene.reportFolder, `${torn.id}.json`), '{"outcome":"succ');
    leaveReport(sampleSession(), goodReport);
    start();
    expect(await scene.ended(good)).toMatchObject({ outcome: "success", figures: { filesNew: 1 } });
    expect(await scene.ended(failed)).toMatchObject({ outcome: "failure", failure: error });
    expect(await scene.ended(canceled)).toMatchObject({ outcome: "interrupted" });
    expect(await scene.ended(torn)).toMatchObject({ outcome: "interrupted" });
    expect(existsSync(file)).toBe(false);
    expect(readdirSync(scene.reportFolder)).toEqual([]);
  });

  it("that had only to finish keep the outcome that they had", async () => {
    const session = left({
      state: "ending",
      outcome: "warning",
      exitCode: 3,
      issues: 4,
      figures: goodReport.backup ?? expect.unreachable(),
    });
    start();
    expect(await scene.ended(session)).toMatchObject({
      outcome: "warning",
      exitCode: 3,
      issues: 4,
    });
  });

  it("get their postJob script, which may have to undo what preJob did", async () => {
    const done = scene.at("done");
    const session = left({ state: "running" });
    const command = ["/bin/sh", "-c", `echo $BACKSTAY_OUTCOME > ${done}`];
    start({ scripts: () => ({ postJob: { command, timeoutMs: 10_000, required: true } }) });
    expect(await scene.ended(session)).toMatchObject({ outcome: "interrupted" });
    expect(readFileSync(done, "utf8")).toBe("interrupted\n");
  });
});

describe("an engine that outlived its daemon", () => {
  it("is waited for, and nothing else works on its repository or for its policy", async () => {
    const stop = scene.at("stop");
    const engine = await orphan(`until test -e ${stop}; do sleep 0.05; done`);
    const session = left({ state: "running", repository: "/same", engine: engineOf(engine) });
    start();
    expect(scene.jobs.running()).toMatchObject([{ session: { id: session.id } }]);
    // What is asked for now is not what that session will still do.
    const again = scene.jobs.request(scene.requestOf("a"));
    expect(again.joined).toBe(false);
    const other = scene.request("b", { repository: "/same" });
    expect(scene.jobs.queued()).toMatchObject([
      { hold: { code: "policy-busy" } },
      { hold: { code: "repository-busy" } },
    ]);
    leaveReport(session, goodReport);
    writeFileSync(stop, "");
    expect(await scene.ended(session)).toMatchObject({ outcome: "success" });
    expect(await scene.ended(other)).toMatchObject({ outcome: "success" });
    expect(await scene.ended(again.session)).toMatchObject({ outcome: "success" });
    const order = ["a:finished", "a:preparing", "b:preparing"].map((text) =>
      scene.seen.indexOf(text),
    );
    expect(Math.min(...order)).toBe(order[0]);
  });

  it("is killed if it does not end", async () => {
    const engine = await orphan("trap '' TERM HUP; while :; do sleep 1; done");
    const session = left({ state: "running", engine: engineOf(engine) });
    start({ watch: { tickMs: 20, silenceMs: 1000, stallMs: 1000, graceMs: 300 } });
    expect(await scene.ended(session)).toMatchObject({ outcome: "interrupted" });
    expect(limits.startOf(engine.pid ?? 0)).toBeUndefined();
  });

  it("is never mixed up with another process that has its id", async () => {
    const other = await orphan("sleep 600");
    const session = left({ state: "running", engine: { ...engineOf(other), start: "12345" } });
    start({ watch: { tickMs: 20, silenceMs: 1000, stallMs: 1000, graceMs: 0 } });
    expect(await scene.ended(session)).toMatchObject({ outcome: "interrupted" });
    expect(limits.startOf(other.pid ?? 0)).toBeDefined();
  });

  it("is waited for by the next daemon if this one ends meanwhile", async () => {
    const engine = await orphan("sleep 600");
    const session = left({ state: "running", engine: engineOf(engine) });
    start();
    await scene.jobs.stop(0);
    expect(scene.state.sessions.get(session.id)?.state).toBe("running");
    engine.kill("SIGKILL");
    start();
    expect(await scene.ended(session)).toMatchObject({ outcome: "interrupted" });
  });
});
