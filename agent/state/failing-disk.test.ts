import { rmSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { goodSession, noTrouble, sampleSession } from "../../test/state/state-samples.ts";
import { type Connect, type Connection, connect } from "./connection.ts";
import { openState } from "./open-state.ts";
import type { State } from "./state.ts";

let folder: string;

beforeEach(() => {
  folder = newMemoryFolder("failing-disk-");
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A disk whose n-th statement fails: that one alone, or each that writes from then on until it is mended. */
class FailingDisk {
  calls = 0;
  readonly #failAt: number;
  readonly #code: string;
  readonly #once: boolean;
  isMended = false;

  constructor(failAt: number, code: string, once: boolean) {
    this.#failAt = failAt;
    this.#code = code;
    this.#once = once;
  }

  readonly connect: Connect = (file) => {
    const connection = connect(file);
    return file.startsWith(folder) ? this.#failing(connection) : connection;
  };

  #check(writes: boolean): void {
    this.calls += 1;
    const goesOn = writes && !this.#once && this.calls > this.#failAt;
    const fails = this.calls === this.#failAt || goesOn;
    if (fails && !this.isMended) throw Object.assign(new Error("injected"), { code: this.#code });
  }

  #failing(connection: Connection): Connection {
    const check = (writes: boolean): void => this.#check(writes);
    return {
      exec(sql) {
        check(true);
        connection.exec(sql);
      },
      run(sql, ...values) {
        check(true);
        return connection.run(sql, ...values);
      },
      all(sql, ...values) {
        check(false);
        return connection.all(sql, ...values);
      },
      each(sql) {
        check(false);
        return connection.each(sql);
      },
      atomically(work) {
        return connection.atomically(() => {
          const result = work();
          // As a commit that fails.
          check(true);
          return result;
        });
      },
      close() {
        connection.close();
      },
    };
  }
}

/** What a run of the daemon does to its state, more or less. */
function work(state: State): void {
  const session = sampleSession({ id: "00000000000000aa", policy: "b" });
  for (const step of ["queued", "preparing", "running"] as const)
    state.sessions.put({ ...session, state: step });
  state.sessions.addIssues(session.id, [{ path: "/x", code: "EIO", message: "y" }]);
  state.scheduleMemory.put("b", 5);
  state.conditions.put({ code: "X", subject: "", severity: "info", sinceMs: 1, facts: {} });
  state.outbox.add({ channel: "mail", body: 1, createdMs: 1, dueMs: 1 });
  state.prune(Date.UTC(2026, 0, 2));
  state.sessions.put({ ...session, state: "finished", outcome: "failure" });
}

const earlier: SessionRecord = goodSession({ id: "00000000000000bb", policy: "a" });

function expectAll(state: State, story: string): void {
  expect(
    state.sessions.list({}).map(({ id, outcome }) => [id, outcome]),
    story,
  ).toEqual([
    ["00000000000000aa", "failure"],
    [earlier.id, "success"],
  ]);
  expect(state.sessions.issues("00000000000000aa"), story).toHaveLength(1);
  expect(state.scheduleMemory.get("b"), story).toBe(5);
  expect(state.outbox.waiting(), story).toBe(1);
  expect(state.conditions.all(), story).toHaveLength(1);
}

describe.each(["SQLITE_FULL", "SQLITE_CORRUPT"])("a statement that fails with %s", (code) => {
  it.each([
    ["alone", true],
    ["for good", false],
  ])("%s loses nothing, whichever it is", (_when, once) => {
    for (let failAt = 1, reached = true; reached; failAt += 1) {
      const story = `statement ${failAt}`;
      const options = { folder, nowMs: () => 1, onTrouble: () => undefined };
      rmSync(folder, { recursive: true });
      const before = openState({ ...options, onTrouble: noTrouble });
      before.sessions.put(earlier);
      before.close();

      const disk = new FailingDisk(failAt, code, once);
      const troubles: string[] = [];
      const state = openState({
        ...options,
        connect: disk.connect,
        onTrouble: ({ code: told }) => troubles.push(told),
      });
      // A damaged file begins anew; that is told.
      if (state.sessions.get(earlier.id) === undefined) {
        expect(troubles[0], story).toBe("STATE_DAMAGED");
        state.sessions.put(earlier);
      }
      work(state);
      reached = disk.calls >= failAt;
      expect(troubles.length > 0, story).toBe(reached);
      expectAll(state, story);
      disk.isMended = true;
      expect(state.returnToDisk(), story).toBe(true);
      expect(state.keptIn).toBe("disk");
      expectAll(state, story);
      state.close();
      const after = openState({ ...options, onTrouble: noTrouble });
      expectAll(after, story);
      after.close();
      if (!reached) expect(failAt).toBeGreaterThan(40);
    }
  });
});

it.each([
  ["SQLITE_FULL", "STATE_FULL"],
  ["SQLITE_IOERR_WRITE", "STATE_BROKEN"],
  ["SQLITE_READONLY_DBMOVED", "STATE_READ_ONLY"],
  ["SQLITE_BUSY_SNAPSHOT", "STATE_BUSY"],
  ["SQLITE_CORRUPT_INDEX", "STATE_DAMAGED"],
])("%s is told as %s, once", (code, told) => {
  const disk = new FailingDisk(1, code, false);
  disk.isMended = true;
  const troubles: string[] = [];
  const onTrouble = (trouble: { code: string }): void => void troubles.push(trouble.code);
  const state = openState({ folder, nowMs: () => 1, onTrouble, connect: disk.connect });
  disk.isMended = false;
  work(state);
  work(state);
  expect([troubles, state.keptIn, state.scheduleMemory.get("b")]).toEqual([[told], "memory", 5]);
  state.close();
});

it("a mistake of ours is no trouble of the disk", () => {
  const disk = new FailingDisk(1, "SQLITE_CONSTRAINT_UNIQUE", true);
  const options = { folder, nowMs: () => 1, onTrouble: noTrouble };
  expect(() => openState({ ...options, connect: disk.connect })).toThrow("injected");
});
