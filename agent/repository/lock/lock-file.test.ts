/** Lock files: what is written and read, and when a holder counts as stale or gone. */
import { describe, expect, it } from "vitest";
import type { ProcessIdentity } from "../../../platform/process-identity.ts";
import { decodeLock, encodeLock, isHolderGone, isStale, type LockFile } from "./lock-file.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const minuteMs = 60_000;
const nowMs = Date.UTC(2026, 0, 1);
const self: ProcessIdentity = {
  hostName: "here",
  userName: "me",
  pid: 100,
  uid: 0,
  gid: 0,
  machine: "m1",
  boot: "b1",
  pidSpace: "pid:[1]",
};
const lockOf = (change: Partial<LockFile> = {}): LockFile => ({
  timeMs: nowMs - minuteMs,
  exclusive: false,
  hostName: "here",
  userName: "me",
  pid: 200,
  machine: "m1",
  boot: "b1",
  pidSpace: "pid:[1]",
  ...change,
});
const alive = (): boolean => true;
const dead = (): boolean => false;

describe("a lock file", () => {
  it("comes back as it was written, with the fields that restic reads", () => {
    const json = encodeLock({ ...self, uid: 1000, gid: 1001 }, true, nowMs);
    expect(JSON.parse(Buffer.from(json).toString())).toMatchObject({
      time: "2026-01-01T00:00:00.000Z",
      exclusive: true,
      hostname: "here",
      username: "me",
      pid: 100,
      uid: 1000,
      gid: 1001,
    });
    expect(decodeLock(json)).toEqual(lockOf({ timeMs: nowMs, exclusive: true, pid: 100 }));
    expect(Buffer.from(encodeLock(self, false, nowMs)).toString()).not.toContain("uid");
  });

  it("is read as restic wrote it", () => {
    const json =
      '{"time":"2024-05-06T07:08:09.123456789+02:00","exclusive":false,"hostname":"h","username":"u","pid":7}';
    expect(decodeLock(text(json))).toEqual({
      timeMs: Date.UTC(2024, 4, 6, 5, 8, 9, 123),
      exclusive: false,
      hostName: "h",
      userName: "u",
      pid: 7,
      machine: "",
      boot: "",
      pidSpace: "",
    });
  });

  it("is none if it is no JSON object, has no time, or fields of wrong kinds", () => {
    const good = { time: "2024-05-06T07:08:09Z", pid: 7 };
    expect(decodeLock(text(JSON.stringify(good)))).toBeDefined();
    for (const json of [
      "",
      "x",
      "null",
      "[]",
      "{}",
      JSON.stringify({ ...good, time: "yesterday" }),
      JSON.stringify({ ...good, time: 7 }),
      JSON.stringify({ ...good, exclusive: "no" }),
      JSON.stringify({ ...good, pid: -1 }),
      JSON.stringify({ ...good, pid: "7" }),
      JSON.stringify({ ...good, hostname: ["h"] }),
      JSON.stringify({ ...good, padding: "x".repeat(70_000) }),
      "[".repeat(10_000),
    ])
      expect(decodeLock(text(json)), json.slice(0, 60)).toBeUndefined();
  });

  it("keeps long names within bounds", () => {
    const json = { time: "2024-05-06T07:08:09Z", hostname: "h".repeat(5000) };
    expect(decodeLock(text(JSON.stringify(json)))?.hostName).toHaveLength(1024);
  });
});

describe("a lock is stale for `unlock`", () => {
  it("from thirty minutes of age, whoever holds it", () => {
    for (const change of [{}, { hostName: "there", machine: "" }, { pid: 0 }]) {
      const old = lockOf({ ...change, timeMs: nowMs - 30 * minuteMs - 1 });
      const young = lockOf({ ...change, timeMs: nowMs - 30 * minuteMs });
      expect(isStale(old, self, nowMs, alive)).toBe(true);
      expect(isStale(young, self, nowMs, alive)).toBe(false);
    }
  });

  it("if its process is dead, where its process id means anything here", () => {
    expect(isStale(lockOf(), self, nowMs, dead)).toBe(true);
    expect(isStale(lockOf(), self, nowMs, alive)).toBe(false);
    const byRestic = { machine: "", boot: "", pidSpace: "" };
    expect(isStale(lockOf(byRestic), self, nowMs, dead)).toBe(true);
    expect(isStale(lockOf({ ...byRestic, hostName: "there" }), self, nowMs, dead)).toBe(false);
    expect(isStale(lockOf({ hostName: "there" }), self, nowMs, dead)).toBe(false);
    expect(isStale(lockOf({ machine: "m2" }), self, nowMs, dead)).toBe(false);
    expect(isStale(lockOf({ pidSpace: "pid:[2]" }), self, nowMs, dead)).toBe(false);
    expect(isStale(lockOf({ pid: 0 }), self, nowMs, dead)).toBe(false);
  });
});

describe("a holder is certainly gone", () => {
  it("if it ran on this machine since this boot and in this process space, and is dead", () => {
    expect(isHolderGone(lockOf(), self, nowMs, dead)).toBe(true);
    expect(isHolderGone(lockOf(), self, nowMs, alive)).toBe(false);
    for (const change of [
      { machine: "" },
      { machine: "m2" },
      { hostName: "there" },
      { pidSpace: "pid:[2]" },
      { pid: 0 },
    ])
      expect(isHolderGone(lockOf(change), self, nowMs, dead), JSON.stringify(change)).toBe(false);
    const nowhere = { ...self, machine: "" };
    expect(isHolderGone(lockOf({ machine: "" }), nowhere, nowMs, dead)).toBe(false);
  });

  it("if the machine has started anew since, and no clone of it refreshes the lock", () => {
    const before = lockOf({ boot: "b0", timeMs: nowMs - 8 * minuteMs });
    expect(isHolderGone(before, self, nowMs, alive)).toBe(true);
    for (const [minutes, isGone] of [
      [-6, false],
      [6, false],
      [8, true],
      [60 * 24 * 365, true],
    ] as const) {
      const lock = { ...before, timeMs: nowMs + minutes * minuteMs };
      expect(isHolderGone(lock, self, nowMs, dead), `${minutes}`).toBe(isGone);
    }
  });

  it("not because of its age, since clocks differ", () => {
    const old = lockOf({ timeMs: nowMs - 24 * 60 * minuteMs });
    expect(isHolderGone(old, self, nowMs, alive)).toBe(false);
    expect(isHolderGone({ ...old, machine: "" }, self, nowMs, dead)).toBe(false);
  });
});
