/**
 * The real daemon, killed at random moments, with a clock that jumps, a full disk, a disk that can't be written, a
 * damaged database. No run is done twice, no session is lost, and what it says after the next start is true.
 * `BACKSTAY_KILLS` says how many kills.
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { DaemonScene, until } from "../daemon/daemon-scene.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 8);
const everySecond = 'schedule: { timers: [ { every: cron, expression: "* * * * * *" } ] }';
const oddDaemon = fileURLToPath(new URL("../daemon/odd-daemon.ts", import.meta.url));
const isRoot = process.getuid?.() === 0;

let scene: DaemonScene;
afterEach(async () => await scene.remove());

/** No slot of the schedule has two runs that were good, and no two sessions ran at the same time. */
function expectNoDoubleRuns(sessions: readonly SessionRecord[]): void {
  const good = sessions.filter(
    ({ outcome, cause }) => outcome === "success" && cause.slotMs !== undefined,
  );
  const slots = good.map(({ cause }) => cause.slotMs);
  expect(new Set(slots).size).toBe(slots.length);
  const ended = sessions
    .filter(({ startedMs, state }) => startedMs !== undefined && state === "finished")
    .toSorted((a, b) => (a.startedMs ?? 0) - (b.startedMs ?? 0));
  for (const [at, { finishedMs = 0 }] of ended.entries())
    expect(ended[at + 1]?.startedMs ?? Infinity).toBeGreaterThanOrEqual(finishedMs);
}

describe("a daemon that is killed", { timeout: 120_000 + kills * 30_000 }, () => {
  it(`${kills} times, its engines with it or not, loses no session and runs none twice`, async () => {
    scene = new DaemonScene();
    const random = seededRandom(7);
    for (let number = 0; number < 30; number += 1)
      writeFileSync(scene.at(`source/noise-${number}`), randomBytes(128 * 1024));
    await scene.storeSecret();
    scene.writePolicy("documents", [everySecond]);
    const known = new Set<string>();
    for (let kill = 0; kill < kills; kill += 1) {
      await scene.start();
      await sleep(random() * 2500);
      writeFileSync(scene.at(`source/noise-${kill % 30}`), randomBytes(128 * 1024));
      for (const { id } of await scene.sessions()) known.add(id);
      const { running } = await scene.status();
      const engine = running[0]?.session.engine?.processId;
      await scene.end("SIGKILL");
      if (engine !== undefined && random() < 0.5) killGroup(engine);
    }
    await scene.start();
    const last = (await scene.sessions())[0]?.id;
    await scene.session(({ outcome, id }) => outcome === "success" && id !== last);
    const sessions = await scene.sessions();
    const ids = sessions.map(({ id }) => id);
    for (const id of known) expect(ids).toContain(id);
    expect(new Set(ids).size).toBe(ids.length);
    expectNoDoubleRuns(sessions);
    const status = await scene.status();
    expect(status.policies[0]?.failuresSinceGood).toBe(0);
    const unfinished = sessions.filter(({ state }) => state !== "finished");
    expect(unfinished.length).toBeLessThanOrEqual(1);
    await scene.end();
    const good = sessions.flatMap(({ figures }) => figures?.snapshotId ?? []);
    const stored = JSON.parse(await scene.repository.output("snapshots", "--json")) as {
      id: string;
    }[];
    for (const id of good) expect(stored.map((each) => each.id)).toContain(id);
    await scene.repository.succeed("check");
  });
});

describe("a daemon whose clock is set", () => {
  it("by hours forward and back runs no slot twice, does not starve, and says so", async () => {
    const odd = oddScene();
    await scene.storeSecret();
    scene.writePolicy("documents", [
      'schedule: { timers: [ { every: cron, expression: "*/2 * * * * *" } ] }',
    ]);
    await scene.start();
    await scene.session();
    for (const hours of [3, -5, 30]) {
      const before = (await scene.sessions()).length;
      odd.set("clock-offset", String(hours * 3_600_000));
      // What the system does when somebody sets the clock.
      await scene.client.reload(new AbortController().signal);
      await until(`runs go on after ${hours} h`, async () => {
        return (await scene.sessions()).length > before + 1;
      });
      const { health } = await scene.status();
      expect(health.reasons.map(({ code }) => code)).toContain("CLOCK_JUMPED");
    }
    const sessions = await scene.sessions();
    const slots = sessions.flatMap(({ cause }) => cause.slotMs ?? []);
    expect(new Set(slots).size).toBe(slots.length);
    expect(sessions.filter(({ outcome }) => outcome === "failure")).toEqual([]);
  });
});

describe("a daemon whose engine misbehaves", () => {
  const cases = [
    { kind: "hang", code: "ENGINE_HUNG" },
    { kind: "eat", code: "ENGINE_MEMORY" },
  ];
  it.each(cases)("($kind) ends it, tells why, and runs the next one", async ({ kind, code }) => {
    const odd = oddScene();
    await scene.storeSecret();
    scene.writePolicy("documents", ["limits: { memory: 300 MiB }"]);
    odd.set("engine", kind);
    await scene.start();
    const run = await scene.cli(["run", "documents", "--wait"]);
    expect(run.exitCode).not.toBe(0);
    const session = await scene.session();
    expect(session).toMatchObject({ outcome: "failure", failure: { code } });
    expect(() => process.kill(session.engine?.processId ?? 0, 0)).toThrow("ESRCH");
    expect((await scene.status()).health.reasons.map((reason) => reason.code)).toContain(
      "BACKUP_FAILED",
    );
    odd.unset("engine");
    expect((await scene.cli(["run", "documents", "--wait"])).exitCode).toBe(0);
    expect((await scene.status()).health.level).toBe("ok");
  });
});

describe("a daemon whose disk fails it", () => {
  it("sets a damaged database aside, begins anew, and goes on with backups", async () => {
    scene = new DaemonScene();
    await scene.storeSecret();
    scene.writePolicy("documents", [everySecond]);
    await scene.start();
    await scene.session();
    await scene.end();
    writeFileSync(
      scene.at("state/state.db"),
      randomBytes(statSync(scene.at("state/state.db")).size),
    );
    for (const name of readdirSync(scene.at("state")))
      if (/^state\.db-/.test(name)) rmSync(scene.at(`state/${name}`));
    await scene.start();
    const { health } = await scene.status();
    expect(health.reasons.map(({ code }) => code)).toContain("STATE_DAMAGED");
    expect(await scene.session()).toMatchObject({ outcome: "success" });
    expect(readdirSync(scene.at("state")).filter((name) => name.includes(".aside-"))).not.toEqual(
      [],
    );
  });

  it.skipIf(!isRoot)(
    "works from memory on a full disk and on one that can't be written",
    async () => {
      scene = new DaemonScene();
      const image = scene.at("disk");
      mkdirSync(scene.at("state"), { mode: 0o700 });
      execFileSync("truncate", ["-s", "24M", image]);
      execFileSync("mkfs.ext4", ["-q", "-m", "0", image]);
      execFileSync("mount", ["-o", "loop", image, scene.at("state")]);
      try {
        await scene.storeSecret();
        scene.writePolicy("documents", [everySecond]);
        await scene.start();
        await scene.session();
        fill(scene.at("state/filler"));
        // Which of the two is first out of room depends on how much of their last blocks is free.
        const isTold = async (): Promise<boolean> => {
          const { health } = await scene.status();
          return health.reasons.some(({ code }) => ["STATE_FULL", "LOG_UNWRITABLE"].includes(code));
        };
        await until("the full disk is told", isTold);
        const before = (await scene.sessions())[0]?.id;
        await scene.session(({ id, outcome }) => id !== before && outcome === "success");
        rmSync(scene.at("state/filler"));
        await until("everything is on its disk again", async () => !(await isTold()));
        const kept = (await scene.sessions()).map(({ id }) => id);
        await scene.end();
        await scene.start();
        const after = (await scene.sessions()).map(({ id }) => id);
        for (const id of kept) expect(after).toContain(id);
        await scene.end();

        execFileSync("mount", ["-o", "remount,ro", scene.at("state")]);
        await scene.start();
        const { health } = await scene.status();
        expect(health.reasons.map(({ code }) => code)).toContain("STATE_READ_ONLY");
        const newest = (await scene.sessions())[0]?.id;
        await scene.session(({ id, outcome }) => id !== newest && outcome === "success");
        await scene.end();
      } finally {
        await scene.end("SIGKILL");
        execFileSync("umount", ["-l", scene.at("state")]);
      }
    },
  );
});

/** A scene whose daemon is odd in ways that can be set and unset while it runs. */
function oddScene(): { set: (name: string, value: string) => void; unset: (name: string) => void } {
  const folder = mkdtempSync(path.join(tmpdir(), "backstay-odd-"));
  scene = new DaemonScene({
    program: [process.execPath, "--disable-warning=ExperimentalWarning", oddDaemon],
    environment: { BACKSTAY_TEST_ODDITIES: folder },
  });
  const remove = scene.remove.bind(scene);
  scene.remove = async () => {
    await remove();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    set: (name, value) => writeFileSync(path.join(folder, name), value),
    unset: (name) => rmSync(path.join(folder, name)),
  };
}

function killGroup(processId: number): void {
  try {
    process.kill(-processId, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}

/** Takes every byte of the disk that a file can have. */
function fill(file: string): void {
  for (const sizeBytes of [2 ** 20, 4096])
    try {
      for (;;) appendFileSync(file, Buffer.alloc(sizeBytes));
    } catch {
      // Full, as far as pieces of that size go.
    }
}
