import { rmSync } from "node:fs";
import { afterEach, beforeEach, expect, it } from "vitest";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { noTrouble } from "../../test/state/state-samples.ts";
import { openState } from "./open-state.ts";
import type { State } from "./state.ts";

const start = Date.UTC(2026, 0, 1);
const dayMs = 86_400_000;
let folder: string;
let state: State;

const open = (): State => openState({ folder, nowMs: () => start, onTrouble: noTrouble });

beforeEach(() => {
  folder = newMemoryFolder("state-tables-");
  state = open();
});

afterEach(() => {
  state.close();
  rmSync(folder, { recursive: true });
});

it("remembers of each policy's schedule what was put last", () => {
  const memory = { lastSlotMs: 5, waits: [1, 2], nothing: null };
  state.scheduleMemory.put("a", { lastSlotMs: 1 });
  state.scheduleMemory.put("a", memory);
  state.scheduleMemory.put("b", 7);
  state.close();
  state = open();
  expect(state.scheduleMemory.get("a")).toEqual(memory);
  state.scheduleMemory.remove("a");
  expect(state.scheduleMemory.get("a")).toBeUndefined();
  expect(state.scheduleMemory.get("b")).toBe(7);
});

it("keeps the text of applied policies with its fingerprint and origin", () => {
  const document = "name: täglich\n";
  const applied = state.policies.put({ name: "b", document, origin: "command", appliedMs: start });
  state.policies.put({ name: "a", document: "x", origin: "file:/etc/a.yaml", appliedMs: 2 });
  expect(applied.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  state.close();
  state = open();
  expect(state.policies.get("b")).toEqual(applied);
  expect(state.policies.all().map(({ name }) => name)).toEqual(["a", "b"]);
  const changed = state.policies.put({ ...applied, document: `${document}#` });
  expect(changed.fingerprint).not.toBe(applied.fingerprint);
  expect(state.policies.remove("a")).toBe(true);
  expect(state.policies.remove("a")).toBe(false);
  expect(state.policies.all()).toEqual([changed]);
});

it("keeps one condition a code and subject, oldest first, 500 at most", () => {
  const condition = {
    code: "STATE_FULL",
    subject: "",
    severity: "error" as const,
    sinceMs: 5,
    facts: { folder: "/x", freeBytes: 0 },
  };
  const other = { ...condition, subject: "documents", severity: "info" as const, sinceMs: 2 };
  state.conditions.put(condition);
  state.conditions.put(other);
  state.conditions.put({ ...condition, acknowledgedMs: 9 });
  state.close();
  state = open();
  expect(state.conditions.all()).toEqual([other, { ...condition, acknowledgedMs: 9 }]);
  expect(state.conditions.remove("STATE_FULL", "documents")).toBe(true);
  expect(state.conditions.remove("STATE_FULL", "documents")).toBe(false);
  for (let i = 0; i < 510; i += 1)
    state.conditions.put({ ...condition, subject: `s${i}`, sinceMs: 10 + i });
  const subjects = state.conditions.all().map(({ subject }) => subject);
  expect(subjects).toHaveLength(500);
  expect([subjects[0], subjects.at(-1)]).toEqual(["s10", "s509"]);
});

it("keeps a message until it is delivered, and gives it out again when it is due", () => {
  const body = { to: "ops", lines: ["a", "b"] };
  const { outbox } = state;
  const first = outbox.add({ channel: "mail", body, createdMs: start, dueMs: start });
  const second = outbox.add({ channel: "ping", body: 1, createdMs: start, dueMs: start + 10 });
  expect(outbox.due(start, 10)).toEqual([
    { id: first, channel: "mail", body, createdMs: start, dueMs: start, attempts: 0 },
  ]);
  outbox.postponed(first, start + 20, "connection refused");
  expect(outbox.due(start + 10, 10).map(({ id }) => id)).toEqual([second]);
  expect(outbox.nextDueMs()).toBe(start + 10);
  outbox.delivered(second);
  expect(outbox.due(start + 20, 10)).toMatchObject([
    { id: first, attempts: 1, lastError: "connection refused" },
  ]);
  outbox.delivered(first);
  outbox.postponed(first, start, "too late");
  expect([outbox.waiting(), outbox.nextDueMs(), outbox.dropped()]).toEqual([0, undefined, 0]);
});

it("drops the oldest of more than a thousand messages and what failed for a month, and says how many", () => {
  const { outbox } = state;
  const ids = Array.from({ length: 1003 }, (_, i) =>
    outbox.add({ channel: i < 2 ? "mail" : "ping", body: i, createdMs: start, dueMs: start }),
  );
  expect([outbox.waiting(), outbox.dropped()]).toEqual([1000, 3]);
  expect(outbox.due(start, 1)).toMatchObject([{ id: ids[3] }]);
  outbox.postponed(ids[3] ?? "", start, "no");
  state.prune(start + 31 * dayMs);
  expect([outbox.waiting(), outbox.dropped()]).toEqual([999, 4]);
});

it("keeps facts by name", () => {
  state.facts.put("boot", "one");
  state.facts.put("boot", { id: "two" });
  state.facts.put("clock", 5);
  state.facts.remove("clock");
  state.close();
  state = open();
  expect([state.facts.get("boot"), state.facts.get("clock")]).toEqual([{ id: "two" }, undefined]);
});
