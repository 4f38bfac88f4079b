import { rmSync } from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { CommandDocument } from "../../protocol/control/command.ts";
import type { Report } from "../../protocol/control/reports.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { goodSession, noTrouble } from "../../test/state/state-samples.ts";
import { openState } from "./open-state.ts";
import type { State, StoredCommand } from "./state.ts";

const start = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;
let folder: string;
let state: State;

const open = (): State => openState({ folder, nowMs: () => start, onTrouble: noTrouble });

beforeEach(() => {
  folder = newMemoryFolder("state-of-server-");
  state = open();
});

afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

function command(id: string, given: Partial<StoredCommand["progress"]> = {}): StoredCommand {
  const document: CommandDocument = {
    type: "command",
    id,
    tenantId: "t",
    agentId: "a",
    order: { kind: "sync" },
    issuedMs: start,
    expiresMs: start + dayMs,
  };
  return {
    document,
    progress: { state: "accepted", timeMs: start, text: "", ...given },
    isTold: false,
  };
}

function event(id: string, text = ""): Report {
  return { id, kind: "event", timeMs: start, code: "X", severity: "info", text, subject: "" };
}

it("remembers commands in the order in which they came, with what became of them and whether that was told", () => {
  state.commands.put(command("c2"));
  state.commands.put(command("c1"));
  state.commands.put({ ...command("c2", { state: "succeeded", text: "done" }), isTold: true });
  state.close();
  state = open();
  expect(state.commands.get("c2")).toEqual({
    ...command("c2", { state: "succeeded", text: "done" }),
    isTold: true,
  });
  expect(state.commands.get("c3")).toBeUndefined();
  state.commands.put(command("c3", { state: "running" }));
  expect(state.commands.unfinished().map(({ document }) => document.id)).toEqual(["c1", "c3"]);
  expect(state.commands.untold().map(({ document }) => document.id)).toEqual(["c1", "c3"]);
});

it("forgets commands a month after they expired, but none that has not ended", () => {
  state.commands.put(command("ended", { state: "failed" }));
  state.commands.put(command("goes on", { state: "running" }));
  state.prune(start + 30 * dayMs);
  expect(state.commands.get("ended")).toBeDefined();
  state.prune(start + 32 * dayMs);
  expect(state.commands.get("ended")).toBeUndefined();
  expect(state.commands.get("goes on")).toBeDefined();
});

it("gives reports back oldest first until they are delivered, and takes none twice", () => {
  for (const id of ["r3", "r1", "r2"]) expect(state.reports.add(event(id))).toBe(true);
  expect(state.reports.add(event("r1", "again"))).toBe(false);
  state.close();
  state = open();
  expect(state.reports.next(2, 1e6)).toEqual([event("r3"), event("r1")]);
  state.reports.delivered(["r3", "unknown"], start);
  expect(state.reports.next(9, 1e6).map(({ id }) => id)).toEqual(["r1", "r2"]);
  expect(state.reports.next(9, 10).map(({ id }) => id)).toEqual(["r1"]);
  expect(state.reports.add(event("r3"))).toBe(false);
  expect(state.reports.waiting()).toBe(2);
});

it("drops the oldest reports when there are too many, events first, and confesses what once", () => {
  const megabyte = "x".repeat(1024 * 1024);
  for (let i = 0; i < 40; i++) {
    const at = { timeMs: start + i };
    if (i % 4 !== 0) state.reports.add({ ...event(`r${i}`, megabyte), ...at });
    else {
      const session = { ...goodSession(), more: megabyte };
      state.reports.add({ id: `r${i}`, kind: "session", session, issues: [], ...at });
    }
  }
  // Ten of them are sessions, of which none had to go.
  const lost = state.reports.lost();
  expect(lost).toMatchObject({ sessions: 0, firstMs: start + 1 });
  expect(lost?.events).toBeGreaterThan(5);
  const kept = state.reports.next(100, 1e9);
  expect(kept.filter(({ kind }) => kind === "session")).toHaveLength(10);
  expect(kept).toHaveLength(40 - (lost?.events ?? 0));
  state.reports.confess((told) => event("lost", JSON.stringify(told)));
  state.reports.confess(() => event("lost again"));
  const newest = state.reports.next(100, 1e9).at(-1);
  expect(newest).toEqual(event("lost", JSON.stringify(lost)));
  expect(state.reports.lost()).toBeUndefined();
});

it("gives back what was delivered since the server's memory was whole, as long as it is kept", () => {
  for (const [at, id] of ["r0", "r1", "r2", "r3"].entries()) {
    state.reports.add(event(id));
    if (id !== "r3") state.reports.delivered([id], start + at);
  }
  expect(state.reports.heededMs()).toBe(0);
  state.reports.recall(start + 1, start + 9);
  expect(state.reports.next(9, 1e6).map(({ id }) => id)).toEqual(["r1", "r2", "r3"]);
  state.close();
  state = open();
  expect(state.reports.heededMs()).toBe(start + 9);
  state.reports.delivered(["r1", "r2"], start + 10);
  // After a month there is only the knowledge that it was delivered.
  state.prune(start + 33 * dayMs);
  state.reports.recall(0, start + 40 * dayMs);
  expect(state.reports.next(9, 1e6).map(({ id }) => id)).toEqual(["r3"]);
  expect(state.reports.add(event("r1"))).toBe(false);
  state.reports.clear();
  expect(state.reports.waiting()).toBe(0);
  expect(state.reports.heededMs()).toBe(0);
  expect(state.reports.add(event("r1"))).toBe(true);
});

it("brings a database of the first step up to date and keeps what is in it", () => {
  const session = goodSession();
  state.sessions.put(session);
  state.close();
  const database = new Database(path.join(folder, "state.db"));
  for (const table of ["commands", "reports", "accepted_bundles"])
    database.exec(`DROP TABLE ${table}`);
  database.exec("DELETE FROM migrations WHERE number > 1");
  database.close();
  state = open();
  expect(state.sessions.get(session.id)).toEqual(session);
  expect(state.reports.add(event("r"))).toBe(true);
  state.commands.put(command("c"));
  expect(state.commands.get("c")).toEqual(command("c"));
  expect(state.bundles.all()).toEqual([]);
});
