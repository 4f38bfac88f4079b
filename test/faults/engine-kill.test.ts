/**
 * Daemon and engine, killed at random moments, with the real engine on a real repository. No session is lost, none
 * runs twice at a time, and the next run is clean. `BACKSTAY_KILLS` says how many kills of each.
 */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { engineSpawner } from "../../agent/jobs/engine-spawner.ts";
import { openState } from "../../agent/state/open-state.ts";
import { openProcessLimits } from "../../platform/open-process-limits.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { EngineScene, engineProgram, scenePassword } from "../engine/engine-scene.ts";
import { JobsScene, preparedRun } from "../jobs/jobs-scene.ts";
import { backstayOn } from "../programs.ts";
import { noTrouble } from "../state/state-samples.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 8);
const daemonProgram = fileURLToPath(new URL("../jobs/jobs-child.ts", import.meta.url));
const limits = openProcessLimits();
let engines: EngineScene;
const environment = {
  ...process.env,
  NODE_COMPILE_CACHE: fileURLToPath(new URL("../../node_modules/.cache/backstay", import.meta.url)),
};

beforeEach(() => {
  engines = new EngineScene();
  engines.addNoise(40, 256 * 1024);
});
afterEach(() => engines.remove());

const backstay = () =>
  backstayOn({ repository: engines.repository, password: scenePassword, cache: engines.cacheRoot });

async function expectClean(sessions: readonly SessionRecord[]): Promise<void> {
  const good = sessions.flatMap(({ figures }) => figures?.snapshotId ?? []);
  const found = JSON.parse(await backstay().output("snapshots", "--json")) as { id: string }[];
  const ids = found.map(({ id }) => id);
  // Each restore point that a session names is there. One more may be: of a session that died before it could tell.
  for (const id of good) expect(ids).toContain(id);
  await backstay().succeed("check");
}

const wait = async (ms: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
};

describe("an engine", { timeout: 60_000 + kills * 20_000 }, () => {
  it(`that is killed ${kills} times makes failed sessions, and the next run is clean`, async () => {
    const random = seededRandom(11);
    const { sessionId: _, version: _version, reportFile: _file, ...order } = engines.order();
    const jobs = new JobsScene({
      spawnEngine: engineSpawner({ file: engineProgram, environment }),
      prepare: async () => preparedRun({ order }),
    });
    try {
      jobs.jobs.start();
      const outcomes: (string | undefined)[] = [];
      let runMs = 1500;
      for (let kill = 0; kill < kills; kill += 1) {
        const session = jobs.request("documents", { repository: engines.repository });
        const begunMs = performance.now();
        await jobs.reached("documents", "running");
        jobs.seen.length = 0;
        await wait(random() * runMs);
        const engine = jobs.state.sessions.get(session.id)?.engine;
        if (engine !== undefined && limits.startOf(engine.processId) === engine.start)
          process.kill(engine.processId, "SIGKILL");
        const ended = await jobs.ended(session);
        outcomes.push(ended.outcome);
        if (ended.outcome === "success") runMs = (runMs + performance.now() - begunMs) / 2;
        else expect(ended.failure).toMatchObject({ code: "ENGINE_DIED", message: /SIGKILL/ });
      }
      expect(outcomes).toContain("failure");
      expect(await jobs.run("documents")).toMatchObject({ outcome: "success" });
      const sessions = jobs.jobs.sessions({ limit: 1000 });
      expect(sessions).toHaveLength(kills + 1);
      expect(jobs.failures).toEqual([]);
      await expectClean(sessions);
    } finally {
      await jobs.remove();
    }
  });
});

class Daemon {
  readonly lines: string[] = [];
  readonly child: ChildProcess;
  readonly closed: Promise<unknown>;

  constructor(folder: string, asks: boolean, order: object) {
    const given = { folder, engine: engineProgram, order, asks };
    this.child = spawn(process.execPath, [daemonProgram, JSON.stringify(given)], {
      stdio: ["pipe", "pipe", "inherit"],
      env: environment,
    });
    this.child.stdout?.on("data", (data: Buffer) => {
      this.lines.push(
        ...data
          .toString()
          .split("\n")
          .filter((line) => line !== ""),
      );
    });
    this.closed = new Promise((resolve) => this.child.once("close", resolve));
  }

  async until(text: string): Promise<void> {
    await expect
      .poll(() => this.lines.join("\n"), { timeout: 60_000, interval: 5 })
      .toContain(text);
  }
}

describe("a daemon", { timeout: 60_000 + kills * 30_000 }, () => {
  it(`that is killed ${kills} times loses no session, and never runs two at once`, async () => {
    const random = seededRandom(12);
    const folder = path.join(engines.folder, "daemon");
    const { sessionId: _, version: _version, reportFile: _file, ...order } = engines.order();
    const told = new Set<string>();
    const enginesSeen = new Map<string, Set<string>>();
    for (let kill = 0; kill < kills; kill += 1) {
      const daemon = new Daemon(folder, true, order);
      await daemon.until(kill % 3 === 0 ? "started" : "running");
      await wait(random() * (kill % 3 === 0 ? 150 : 1200));
      daemon.child.kill("SIGKILL");
      await daemon.closed;
      for (const line of daemon.lines) {
        const [id = "", , , engine = "0"] = line.split(" ");
        if (line === "started") continue;
        told.add(id);
        if (engine !== "0") enginesSeen.set(id, (enginesSeen.get(id) ?? new Set()).add(engine));
      }
    }
    const last = new Daemon(folder, true, order);
    await last.until("finished success");
    last.child.stdin?.end();
    await last.closed;
    const state = openState({
      folder: path.join(folder, "state"),
      nowMs: () => 0,
      onTrouble: noTrouble,
    });
    const sessions = state.sessions.list({ limit: 1000 });
    state.close();
    const known = new Set(sessions.map(({ id }) => id));
    expect([...told].filter((id) => !known.has(id))).toEqual([]);
    expect(sessions.filter((session) => session.state !== "finished")).toEqual([]);
    // Each session had one engine at most.
    expect([...enginesSeen.values()].filter((processes) => processes.size > 1)).toEqual([]);
    // One after the other: each began when the one before had ended.
    const inOrder = sessions.toReversed().filter(({ startedMs }) => startedMs !== undefined);
    for (const [i, session] of inOrder.entries())
      if (i > 0) expect(session.startedMs).toBeGreaterThanOrEqual(inOrder[i - 1]?.finishedMs ?? 0);
    const outcomes = new Set(sessions.map(({ outcome }) => outcome));
    expect(outcomes).toContain("success");
    expect([...outcomes].filter((outcome) => outcome === "failure")).toEqual([]);
    await expectClean(sessions);
  });
});
