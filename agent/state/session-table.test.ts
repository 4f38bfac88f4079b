import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { goodSession, noTrouble, sampleSession } from "../../test/state/state-samples.ts";
import { openState } from "./open-state.ts";
import type { State } from "./state.ts";

const dayMs = 86_400_000;
const start = Date.UTC(2026, 0, 1);
let folder: string;
let state: State;

beforeEach(() => {
  folder = newMemoryFolder("session-table-");
  state = openState({
    folder,
    nowMs: () => start,
    onTrouble: noTrouble,
  });
});

afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

const issue = (number: number) => ({ path: `/f${number}`, code: "EACCES", message: "denied" });
const ids = (sessions: readonly { id: string }[]) => sessions.map(({ id }) => id);

it("gives a session back as it was last put, after a restart too", () => {
  const session = sampleSession();
  state.sessions.put(session);
  const running = { ...session, state: "running" as const, engine: { processId: 7, start: "x" } };
  state.sessions.put(running);
  expect(state.sessions.get(session.id)).toEqual(running);
  state.close();
  state = openState({ folder, nowMs: () => start, onTrouble: noTrouble });
  expect(state.sessions.get(session.id)).toEqual(running);
  expect(state.sessions.get("0000000000000000")).toBeUndefined();
});

it("lists the newest first, by policy, state and outcome, page by page", () => {
  const queued = sampleSession({ policy: "a" });
  const good = goodSession({ policy: "b" });
  const failed = sampleSession({ policy: "a", state: "finished", outcome: "failure" });
  for (const session of [queued, good, failed]) state.sessions.put(session);
  state.sessions.put({ ...queued, state: "preparing" });
  const { sessions } = state;
  expect(ids(sessions.list({}))).toEqual(ids([failed, good, queued]));
  expect(ids(sessions.list({ policy: "a" }))).toEqual(ids([failed, queued]));
  expect(ids(sessions.list({ states: ["preparing", "running"] }))).toEqual(ids([queued]));
  expect(ids(sessions.list({ outcomes: ["success", "failure"], policy: "b" }))).toEqual(
    ids([good]),
  );
  expect(ids(sessions.list({ limit: 2 }))).toEqual(ids([failed, good]));
  expect(ids(sessions.list({ limit: 2, beforeId: good.id }))).toEqual(ids([queued]));
  expect(ids(sessions.unfinished())).toEqual(ids([queued]));
});

it("knows the last good session of a policy, though later ones failed", () => {
  const [first, second] = [goodSession(), goodSession()];
  const failed = sampleSession({ state: "finished", outcome: "failure" });
  const scriptFailed = { ...goodSession(), outcome: "failure" as const };
  for (const session of [first, second, failed]) state.sessions.put(session);
  expect(state.sessions.lastGood("documents")?.id).toBe(second.id);
  expect(state.sessions.failuresSinceGood("documents")).toBe(1);
  expect(state.sessions.failuresSinceGood("other")).toBe(0);
  state.sessions.put(scriptFailed);
  expect(state.sessions.lastGood("documents")?.id).toBe(scriptFailed.id);
  expect(state.sessions.lastGood("other")).toBeUndefined();
});

it("keeps the first thousand issues of a session, in their order", () => {
  const session = sampleSession();
  state.sessions.put(session);
  for (let part = 0; part < 12; part += 1)
    state.sessions.addIssues(
      session.id,
      Array.from({ length: 90 }, (_, i) => issue(part * 90 + i)),
    );
  const kept = state.sessions.issues(session.id);
  expect(kept).toEqual(Array.from({ length: 1000 }, (_, i) => issue(i)));
  state.sessions.put({ ...session, state: "finished" });
  expect(state.sessions.issues(session.id)).toHaveLength(1000);
  state.sessions.addIssues("0000000000000000", [issue(1)]);
  expect(state.sessions.issues("0000000000000000")).toEqual([]);
});

it("forgets what is too old or too much, but never the last good one nor what has not ended", () => {
  const lastGood = goodSession({ policy: "rare" });
  const waiting = sampleSession({ policy: "waits" });
  const old = sampleSession({ state: "finished", finishedMs: start });
  for (const session of [lastGood, waiting, old]) state.sessions.put(session);
  state.sessions.addIssues(old.id, [issue(1)]);
  for (let i = 0; i < 150; i += 1)
    state.sessions.put(sampleSession({ state: "finished", finishedMs: start + dayMs }));
  state.prune(start + 400.5 * dayMs);
  expect(ids(state.sessions.list({ policy: "rare" }))).toEqual([lastGood.id]);
  expect(ids(state.sessions.list({ policy: "waits" }))).toEqual([waiting.id]);
  expect(state.sessions.get(old.id)).toBeUndefined();
  expect(state.sessions.issues(old.id)).toEqual([]);
  expect(state.sessions.list({ limit: 1000 })).toHaveLength(152);
  // A clock that jumped ahead by years leaves the newest hundred.
  state.prune(start + 4000 * dayMs);
  expect(state.sessions.list({ limit: 1000 })).toHaveLength(102);
});

it("keeps 20,000 issues of all sessions, those of the newest ones", () => {
  const sessions = Array.from({ length: 25 }, () => goodSession());
  for (const session of sessions) {
    state.sessions.put(session);
    state.sessions.addIssues(
      session.id,
      Array.from({ length: 1000 }, (_, i) => issue(i)),
    );
  }
  state.prune(start);
  const counts = sessions.map(({ id }) => state.sessions.issues(id).length);
  expect(counts).toEqual([...Array(5).fill(0), ...Array(20).fill(1000)]);
});
