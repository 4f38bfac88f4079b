/** The state's disk is full or can't be written: work goes on in memory, and nothing is lost once there is room again. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it, type TestContext } from "vitest";
import { openState } from "../../agent/state/open-state.ts";
import type { State } from "../../agent/state/state.ts";
import { JobsScene } from "../jobs/jobs-scene.ts";
import { goodSession, sampleSession } from "../state/state-samples.ts";

let place: string;
let folder: string;
let isMounted: boolean;
let troubles: string[];

beforeEach(() => {
  place = mkdtempSync(path.join(tmpdir(), "state-disk-"));
  folder = path.join(place, "disk");
  mkdirSync(folder);
  isMounted = false;
  troubles = [];
});

afterEach(() => {
  if (isMounted) execFileSync("umount", [folder]);
  rmSync(place, { recursive: true });
});

function mount(context: TestContext, kind: "tmpfs" | "ext4"): void {
  try {
    if (kind === "tmpfs") {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", folder], { stdio: "pipe" });
    } else {
      const image = path.join(place, "image");
      writeFileSync(image, "");
      execFileSync("truncate", ["-s", "12M", image]);
      execFileSync("mkfs.ext4", ["-q", "-O", "^has_journal", "-m", "0", image], { stdio: "pipe" });
      execFileSync("mount", ["-o", "loop", image, folder], { stdio: "pipe" });
    }
    isMounted = true;
  } catch {
    context.skip(`needs root and ${kind}`);
  }
}

function open(): State {
  return openState({
    folder,
    nowMs: () => Date.UTC(2026, 0, 1),
    onTrouble: ({ code }) => troubles.push(code),
  });
}

const filler = (): string => path.join(folder, "filler");

/** Takes every block, so that not even a page can be added. */
function fillUp(): void {
  for (let size = 1024 * 1024; size >= 1024; size /= 2)
    for (let part = 0; ; part += 1) {
      try {
        writeFileSync(`${filler()}-${size}-${part}`, new Uint8Array(size));
      } catch {
        break;
      }
    }
  expect(statfsSync(folder).bavail).toBe(0);
}

function makeRoom(): void {
  execFileSync("sh", ["-c", `rm -f ${filler()}-*`]);
}

/** Many sessions with long issue lists: more than what SQLite still has room for in its files. */
function putMany(state: State): string[] {
  return Array.from({ length: 60 }, (_, i) => {
    const session = sampleSession({ state: "finished", outcome: "failure" });
    state.sessions.put(session);
    const issues = Array.from({ length: 100 }, (_unused, k) => ({
      path: `/${i}/${k}`,
      code: "EIO",
      message: "m".repeat(100),
    }));
    state.sessions.addIssues(session.id, issues);
    return session.id;
  });
}

it.for(["tmpfs", "ext4"] as const)(
  "a disk (%s) that fills up while we write loses nothing",
  (kind, context) => {
    mount(context, kind);
    let state = open();
    const first = goodSession();
    state.sessions.put(first);
    fillUp();
    const ids = putMany(state);
    expect([troubles, state.keptIn]).toEqual([["STATE_FULL"], "memory"]);
    expect(state.returnToDisk()).toBe(false);
    expect(state.sessions.list({ limit: 1000 })).toHaveLength(61);
    makeRoom();
    expect(state.returnToDisk()).toBe(true);
    expect(state.keptIn).toBe("disk");
    state.close();
    troubles = [];
    state = open();
    const listed = state.sessions.list({ limit: 1000 }).map(({ id }) => id);
    expect(listed).toEqual([first.id, ...ids].toReversed());
    expect(state.sessions.issues(ids[59] ?? "")).toHaveLength(100);
    expect(troubles).toEqual([]);
    state.close();
  },
);

it("a disk that is full at the start is worked around, with all that it holds", (context) => {
  mount(context, "tmpfs");
  const before = open();
  const first = goodSession();
  before.sessions.put(first);
  before.close();
  fillUp();
  const state = open();
  expect([troubles, state.keptIn]).toEqual([["STATE_FULL"], "memory"]);
  expect(state.sessions.lastGood(first.policy)).toEqual(first);
  const second = goodSession();
  state.sessions.put(second);
  makeRoom();
  state.close();
  const after = open();
  expect(after.sessions.list({})).toEqual([second, first]);
  after.close();
});

it("a full disk without a database yet is no obstacle", (context) => {
  mount(context, "tmpfs");
  fillUp();
  const state = open();
  expect([troubles, state.keptIn]).toEqual([["STATE_FULL"], "memory"]);
  const session = goodSession();
  state.sessions.put(session);
  expect(state.sessions.get(session.id)).toEqual(session);
  makeRoom();
  expect(state.returnToDisk()).toBe(true);
  state.close();
});

it.for([
  ["that was closed", true],
  ["that was left as a power cut leaves it", false],
] as const)("a read-only state %s is read, and goes on in memory", ([, isClosed], context) => {
  mount(context, "tmpfs");
  const before = open();
  const first = goodSession();
  before.sessions.put(first);
  if (isClosed) before.close();
  else {
    const copy = path.join(place, "copy");
    execFileSync("cp", ["-r", folder, copy]);
    before.close();
    execFileSync("sh", ["-c", `rm ${folder}/* && cp ${copy}/* ${folder}/`]);
  }
  execFileSync("mount", ["-o", "remount,ro", folder]);
  const state = open();
  expect([troubles, state.keptIn]).toEqual([["STATE_READ_ONLY"], "memory"]);
  expect(state.sessions.list({})).toEqual([first]);
  const second = goodSession();
  state.sessions.put(second);
  expect(state.returnToDisk()).toBe(false);
  execFileSync("mount", ["-o", "remount,rw", folder]);
  state.close();
  troubles = [];
  const after = open();
  expect(after.sessions.list({})).toEqual([second, first]);
  expect(troubles).toEqual([]);
  after.close();
});

it("sessions run and are recorded while the disk is full", async (context) => {
  mount(context, "tmpfs");
  const scene = new JobsScene();
  const state = open();
  try {
    scene.restart({ state });
    scene.jobs.start();
    fillUp();
    const sessions = [];
    for (let i = 0; i < 60; i += 1) sessions.push(await scene.run("documents"));
    expect([troubles, state.keptIn]).toEqual([["STATE_FULL"], "memory"]);
    expect(sessions.map(({ outcome }) => outcome)).toEqual(Array(60).fill("success"));
    makeRoom();
    state.close();
    const after = open();
    expect(after.sessions.list({ limit: 1000 })).toEqual(sessions.toReversed());
    after.close();
  } finally {
    await scene.remove();
  }
});
