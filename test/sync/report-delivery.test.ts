/** Reports on their way from a machine's outbox into the server's database, whatever happens to either. */
import { rmSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ReportStore } from "../../agent/state/state.ts";
import { agentApi } from "../../protocol/control/agent-api.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { newMemoryFolder } from "../memory-folder.ts";
import { eachDatabase } from "../server/each-database.ts";
import { goodSession } from "../state/state-samples.ts";
import type { SyncMachine } from "./sync-machine.ts";
import { SyncScene } from "./sync-scene.ts";

const never = new AbortController().signal;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const rounds = Number(process.env["BACKSTAY_KILLS"] ?? 1);

eachDatabase("reports", (fresh) => {
  let scene: SyncScene;
  let machine: SyncMachine;

  beforeEach(async () => {
    scene = await SyncScene.open(await fresh());
    machine = await scene.machine();
  });
  afterEach(async () => await scene.close());

  /** A session of a minute that ends now. */
  const endedNow = (given: Partial<SessionRecord> = {}): SessionRecord => {
    const finishedMs = scene.ground.now();
    const startedMs = finishedMs - 60_000;
    return goodSession({ queuedMs: startedMs, startedMs, finishedMs, ...given });
  };
  const report = (session: SessionRecord): string => {
    machine.daemon.outbox.addSession(session, { issues: [] });
    return `session-${session.id}`;
  };
  /** As the daemon does: again and again. */
  const sendAll = async (): Promise<void> => {
    for (let tries = 0; machine.daemon.outbox.waiting() > 0 && tries < 1000; tries++)
      await machine.daemon.outbox.send(never).catch(() => undefined);
  };

  it("arrive once each, whatever is lost on the way and however often the machine dies", async () => {
    const random = seededRandom(3);
    machine.calls.fate = () => {
      const chance = random();
      return chance < 0.25 ? "request-lost" : chance < 0.5 ? "answer-lost" : "arrives";
    };
    const expected: string[] = [];
    for (let step = 0; step < 40 * rounds; step++) {
      expected.push(report(endedNow()));
      if (random() < 0.5) await machine.daemon.outbox.send(never).catch(() => undefined);
      if (random() < 0.2) machine.kill();
    }
    await sendAll();
    expect(await scene.reportIds()).toEqual(expected.toSorted());
    expect(machine.calls.arrived.get(agentApi.reports)).toBeGreaterThan(10);
  });

  it("of weeks without a server all arrive, oldest first, in batches", async () => {
    const expected: string[] = [];
    for (let hours = 0; hours < 21 * 24; hours++) {
      scene.ground.advance(hourMs);
      expected.push(report(endedNow()));
      if (hours % 100 === 50) machine.kill();
    }
    await machine.daemon.outbox.send(never);
    expect(await scene.reportIds()).toEqual(expected.toSorted());
    expect(machine.calls.arrived.get(agentApi.reports)).toBe(Math.ceil(expected.length / 200));
    const [protection] = await scene.rooms.states.protection(null, machine.id);
    expect(protection?.lastGoodMs).toBe(scene.ground.now() - 60_000);
  });

  it("are there again after the server's database was set back, also those that arrived in between", async () => {
    const { ground, rooms } = scene;
    await rooms.memory.look();
    const before = report(endedNow());
    await sendAll();
    const restore = await scene.backup();
    const lost: string[] = [];
    for (let hours = 0; hours < 30; hours += 10) {
      ground.advance(10 * hourMs);
      lost.push(report(endedNow()));
      await sendAll();
    }
    expect(await scene.reportIds()).toHaveLength(4);
    await restore();
    expect(await scene.reportIds()).toEqual([before]);
    await scene.restart();
    const late = report(endedNow());
    machine.startLoop();
    const all = [before, ...lost, late].toSorted();
    await expect.poll(async () => await scene.reportIds(), { timeout: 30_000 }).toEqual(all);
    await expect.poll(() => machine.daemon.outbox.waiting(), { timeout: 30_000 }).toBe(0);
    // It has heard of this gap: nothing is told a third time.
    expect(machine.daemon.state.reports.heededMs()).toBe(ground.now());
  });
});

describe("an outbox on a disk", () => {
  let folder: string;
  let scene: SyncScene;
  let machine: SyncMachine;

  beforeEach(async () => {
    folder = newMemoryFolder("report-delivery-");
    scene = await SyncScene.open(path.join(folder, "server.db"));
    machine = await scene.machine();
  });
  afterEach(async () => {
    await scene.close();
    rmSync(folder, { recursive: true });
  });

  it("may be killed before or after any of its writes", async () => {
    const expected: string[] = [];
    for (let write = 0; write < 8; write++)
      for (const moment of ["before", "after"] as const) {
        const sessions = [goodSession(), goodSession(), goodSession()];
        expected.push(...sessions.map(({ id }) => `session-${id}`));
        machine.kill();
        machine.storeOf = (store) => killedAt(store, write, moment);
        for (let life = 0; life < 2; life++) {
          try {
            // Each start of the daemon adds the newest sessions, in case they were not.
            for (const session of sessions)
              machine.daemon.outbox.addSession(session, { issues: [] });
            await machine.daemon.outbox.send(never);
          } catch (error) {
            expect(String(error)).toContain("killed");
          }
          machine.kill();
          machine.storeOf = (store) => store;
        }
        expect(machine.daemon.outbox.waiting()).toBe(0);
      }
    expect(await scene.reportIds()).toEqual(expected.toSorted());
  });

  it("that is full drops events before sessions, and the server hears which and how many", async () => {
    const { outbox } = machine.daemon;
    const text = "x".repeat(4000);
    for (let i = 0; i < 3; i++)
      outbox.addEvent({ code: "X", severity: "info", text, subject: `${i}` });
    const large = { more: "x".repeat(450_000) };
    const sessions = Array.from({ length: 78 }, (_, i) => goodSession({ queuedMs: i * dayMs }));
    for (const session of sessions) outbox.addSession({ ...session, ...large }, { issues: [] });
    const lost = machine.daemon.state.reports.lost();
    expect(lost).toMatchObject({ events: 3 });
    expect(lost?.sessions).toBeGreaterThan(0);
    await outbox.send(never);
    const page = { after: null, limit: 100 };
    const stored = await scene.rooms.reported.list("session", null, page);
    const kept = sessions.slice(lost?.sessions).map(({ id }) => `session-${id}`);
    expect(stored.map(({ report }) => report.id).toSorted()).toEqual(kept.toSorted());
    const [told] = await scene.rooms.reported.list("event", null, page);
    expect(told?.report).toMatchObject({
      code: "REPORTS_LOST",
      severity: "warning",
      text: expect.stringContaining(`${lost?.sessions} sessions and 3 events`),
    });
    expect(machine.daemon.state.reports.lost()).toBeUndefined();
  });
});

/** A store whose process dies at one of its writes. */
function killedAt(store: ReportStore, write: number, moment: "before" | "after"): ReportStore {
  let writes = 0;
  const dying = <Result>(work: () => Result): Result => {
    const isLast = writes++ === write;
    if (isLast && moment === "before") throw new Error("killed");
    const result = work();
    if (isLast) throw new Error("killed");
    return result;
  };
  return {
    add: (given) => dying(() => store.add(given)),
    delivered: (ids, atMs) => dying(() => store.delivered(ids, atMs)),
    confess: (reportOf) => dying(() => store.confess(reportOf)),
    recall: (sinceMs, heededMs) => dying(() => store.recall(sinceMs, heededMs)),
    clear: () => dying(() => store.clear()),
    next: (limit, bytesMax) => store.next(limit, bytesMax),
    waiting: () => store.waiting(),
    lost: () => store.lost(),
    heededMs: () => store.heededMs(),
  };
}
