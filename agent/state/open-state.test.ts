import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BackstayError } from "../../protocol/backstay-error.ts";
import type { SessionRecord } from "../../protocol/session-record.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { goodSession, sampleSession } from "../../test/state/state-samples.ts";
import { openState } from "./open-state.ts";
import { setAside } from "./set-aside.ts";
import type { State } from "./state.ts";

let place: string;
let folder: string;
let file: string;
let nowMs: number;
let troubles: BackstayError[];

beforeEach(() => {
  place = newMemoryFolder("open-state-");
  folder = path.join(place, "agent", "state");
  file = path.join(folder, "state.db");
  nowMs = Date.UTC(2026, 0, 1);
  troubles = [];
});

afterEach(() => rmSync(place, { recursive: true }));

function open(): State {
  return openState({ folder, nowMs: () => nowMs, onTrouble: (trouble) => troubles.push(trouble) });
}

/** Opens a state, writes all kinds of rows, and returns what is in it. */
function fill(state: State, sessions = 20): Content {
  for (let i = 0; i < sessions; i += 1) {
    const session = i % 2 === 0 ? goodSession({ policy: `p${i % 3}` }) : sampleSession();
    state.sessions.put(session);
    state.sessions.addIssues(session.id, [{ path: `/f${i}`, code: "EIO", message: "x".repeat(i) }]);
  }
  state.policies.put({ name: "p0", document: "a: b\n", origin: "command", appliedMs: 1 });
  state.scheduleMemory.put("p0", { lastSlotMs: 12 });
  state.facts.put("boot", "b");
  state.outbox.add({ channel: "mail", body: { to: "x" }, createdMs: 1, dueMs: 2 });
  state.conditions.put({ code: "X", subject: "", severity: "info", sinceMs: 1, facts: {} });
  return contentOf(state);
}

interface Content {
  readonly sessions: readonly SessionRecord[];
  readonly others: string;
}

function contentOf(state: State): Content {
  const sessions = state.sessions.list({ limit: 1000 });
  return {
    sessions,
    others: JSON.stringify([
      sessions.map(({ id }) => state.sessions.issues(id)),
      state.sessions.unfinished(),
      ["p0", "p1"].map((policy) => state.sessions.lastGood(policy)),
      state.policies.all(),
      state.scheduleMemory.get("p0"),
      state.facts.get("boot"),
      state.outbox.due(1e15, 10),
      state.conditions.all(),
    ]),
  };
}

const codes = (): string[] => troubles.map(({ code }) => code);

describe("a database that can't be used", () => {
  it.each([
    ["that is none", () => writeFileSync(file, "this is no database\n".repeat(500))],
    ["of another program", () => new Database(file).exec("CREATE TABLE x (y)").close()],
    ["that lacks its end", () => writeFileSync(file, readFileSync(file).subarray(0, 20_000))],
    ["whose steps are not ours", () => alter("UPDATE migrations SET checksum = 'x'")],
    ["whose tables were changed", () => alter("ALTER TABLE facts ADD COLUMN more TEXT")],
    ["with a row that was changed", () => alter("UPDATE schedule_memory SET memory = '7'")],
  ])("%s is set aside, and a fresh one takes its place", (what, damage) => {
    mkdirSync(folder, { recursive: true });
    if (!what.startsWith("of another")) {
      const state = open();
      fill(state);
      state.close();
    }
    damage();
    const before = readFileSync(file);
    const state = open();
    expect(codes()).toEqual(["STATE_DAMAGED"]);
    const keptAs = String(troubles[0]?.context["keptAs"]);
    expect(path.basename(keptAs)).toBe("state.aside-20260101T000000.000Z.db");
    // But for the two bytes that say how it is written.
    expect(readFileSync(keptAs).subarray(100).equals(before.subarray(100))).toBe(true);
    expect(state.keptIn).toBe("disk");
    expect(state.sessions.list({})).toEqual([]);
    const content = fill(state);
    state.close();
    const again = open();
    expect(contentOf(again)).toEqual(content);
    expect(codes()).toHaveLength(1);
    again.close();
  });

  it("made by a newer version is set aside", () => {
    open().close();
    alter("INSERT INTO migrations VALUES (99, 'of the future', 'x')");
    const state = open();
    expect(codes()).toEqual(["STATE_NEWER"]);
    expect(state.keptIn).toBe("disk");
    state.close();
  });

  it("is kept with its log, and only the last three are", () => {
    mkdirSync(folder, { recursive: true });
    for (let round = 0; round < 5; round += 1) {
      for (const part of ["", "-wal", "-shm"]) writeFileSync(file + part, `${round}${part}`);
      setAside(file, nowMs + (round < 3 ? 0 : round * 1000));
      expect(existsSync(file)).toBe(false);
    }
    const kept = readdirSync(folder).map((name) => readFileSync(path.join(folder, name), "utf8"));
    const wanted = [2, 3, 4].flatMap((round) => [`${round}`, `${round}-wal`, `${round}-shm`]);
    expect(kept.sort()).toEqual(wanted.sort());
  });
});

function alter(sql: string): void {
  const database = new Database(file);
  database.exec(sql);
  database.close();
}

it("flipped bits are noticed or harmless, wherever they are", () => {
  const state = open();
  const content = fill(state, 60);
  state.close();
  const intact = readFileSync(file);
  const random = seededRandom(7);
  let noticed = 0;
  for (let round = 0; round < 250; round += 1) {
    const damaged = Buffer.from(intact);
    const at = Math.floor(random() * damaged.length);
    damaged[at] = (damaged[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    writeFileSync(file, damaged);
    troubles = [];
    const opened = open();
    if (troubles.length === 0)
      expect(isDeepStrictEqual(contentOf(opened), content), `byte ${at}`).toBe(true);
    else {
      expect(codes(), `byte ${at}`).toEqual(["STATE_DAMAGED"]);
      expect(opened.sessions.list({})).toEqual([]);
      noticed += 1;
    }
    opened.sessions.put(sampleSession());
    opened.close();
    rmSync(`${file}-wal`, { force: true });
  }
  expect(noticed).toBeGreaterThan(50);
});

it("a cut log loses at most what came last", () => {
  const state = open();
  const { sessions } = fill(state, 30);
  // As after a power cut: nothing was closed.
  const cut = path.join(place, "cut");
  cpSync(folder, cut, { recursive: true });
  state.close();
  const log = readFileSync(path.join(cut, "state.db-wal"));
  const random = seededRandom(3);
  const inOrder = sessions.map(({ id }) => id).toReversed();
  for (let round = 0; round < 40; round += 1) {
    rmSync(folder, { recursive: true });
    cpSync(cut, folder, { recursive: true });
    const end = Math.floor(random() * log.length);
    writeFileSync(`${file}-wal`, log.subarray(0, end));
    if (round % 2 === 0) appendFileSync(`${file}-wal`, Buffer.alloc(4096, 0xa5));
    const opened = open();
    const left = opened.sessions
      .list({ limit: 1000 })
      .map(({ id }) => id)
      .toReversed();
    expect(left, `cut at ${end}`).toEqual(inOrder.slice(0, left.length));
    opened.sessions.put(sampleSession());
    opened.close();
  }
  expect(codes()).toEqual([]);
});

it("only the agent's account can read the database", () => {
  const state = open();
  fill(state);
  for (const name of ["state.db", "state.db-wal"])
    expect(statSync(path.join(folder, name)).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  state.close();
  expect(existsSync(`${file}-wal`)).toBe(false);
});

it("keeps changes in a log, and other programs out", () => {
  const state = open();
  fill(state);
  expect(statSync(`${file}-wal`).size).toBeGreaterThan(0);
  expect(existsSync(`${file}-shm`)).toBe(false);
  expect(() => new Database(file, { timeout: 0 }).exec("CREATE TABLE x (y)")).toThrow("locked");
  state.close();
});
