import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { BundleTurns } from "./bundle-turns.ts";

describe("turns to be told of another bundle", () => {
  let told: string[];
  const ask = (turns: BundleTurns, agentId: string) => turns.ask(agentId, () => told.push(agentId));

  beforeEach(() => {
    vi.useFakeTimers();
    told = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("come in the order in which they were asked for, as those before got their bundles", () => {
    const turns = new BundleTurns(() => false, 2);
    for (const agentId of ["a", "b", "c", "d"]) ask(turns, agentId);
    expect(told).toEqual(["a", "b"]);
    turns.fetched("b", false);
    expect(told).toEqual(["a", "b", "c"]);
    turns.fetched("a", false);
    expect(told).toEqual(["a", "b", "c", "d"]);
  });

  it("are not held up by those that were told and do not come", () => {
    const turns = new BundleTurns(() => false, 1);
    for (const agentId of ["a", "b"]) ask(turns, agentId);
    vi.advanceTimersByTime(9_999);
    expect(told).toEqual(["a"]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual(["a", "b"]);
  });

  it("go to others when they are left, before and after they came", () => {
    const turns = new BundleTurns(() => false, 1);
    const first = ask(turns, "a");
    const second = ask(turns, "b");
    ask(turns, "c");
    expect([first.isMine, second.isMine]).toEqual([true, false]);
    second.leave();
    first.leave();
    expect(told).toEqual(["a", "c"]);
    expect(first.isMine).toBe(false);
  });

  it("come also when bundles are fetched here by those whom another replica told", () => {
    const turns = new BundleTurns(() => false, 1);
    for (const agentId of ["a", "b"]) ask(turns, agentId);
    turns.fetched("polls and is held here", true);
    expect(told).toEqual(["a"]);
    turns.fetched("told elsewhere", false);
    expect(told).toEqual(["a", "b"]);
  });

  it("wait while the server is behind", () => {
    let isBehind = true;
    const turns = new BundleTurns(() => isBehind);
    for (const agentId of ["a", "b"]) ask(turns, agentId);
    vi.advanceTimersByTime(60_000);
    expect(told).toEqual([]);
    isBehind = false;
    vi.advanceTimersByTime(100);
    expect(told).toEqual(["a", "b"]);
  });
});
