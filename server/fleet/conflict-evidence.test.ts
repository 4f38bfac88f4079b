import { describe, expect, it } from "vitest";
import { conflictIn, resumedRuns, type SeenRun } from "./conflict-evidence.ts";

const minuteMs = 60_000;
const enrolled = { system: "a", hardware: "a", disk: "a", network: "a" };
const copied = { system: "a", hardware: "b", disk: "a", network: "b" };

/** Runs as the server notes them when it hears of them at these minutes, looking after each. */
function heard(
  minutes: readonly (readonly [string, number])[],
  fingerprints: Readonly<Record<string, Record<string, string>>> = {},
): SeenRun[] {
  let runs: SeenRun[] = [];
  for (const [runId, minute] of minutes) {
    const lastSeenMs = minute * minuteMs;
    const known = runs.find((run) => run.runId === runId);
    const fingerprint = fingerprints[runId] ?? enrolled;
    const first = { runId, fingerprint, address: "::1", firstSeenMs: lastSeenMs, resumedMs: null };
    runs = [...runs.filter((run) => run !== known), { ...(known ?? first), lastSeenMs }];
    const resumed = resumedRuns(runs);
    runs = runs.map((run) => (resumed.includes(run) ? { ...run, resumedMs: run.lastSeenMs } : run));
  }
  return runs;
}

describe("evidence of two machines", () => {
  it("is none in restarts, however many", () => {
    expect(
      conflictIn(
        heard([
          ["a", 0],
          ["a", 5],
          ["b", 6],
          ["b", 9],
          ["c", 9.1],
        ]),
        enrolled,
      ),
    ).toBe(undefined);
  });

  it("is none in a request that was long on its way", () => {
    expect(
      conflictIn(
        heard([
          ["a", 0],
          ["b", 1],
          ["a", 1.4],
          ["b", 6],
        ]),
        enrolled,
      ),
    ).toBe(undefined);
  });

  it("is none in a machine that was set back to a snapshot of its memory", () => {
    expect(
      conflictIn(
        heard([
          ["a", 0],
          ["b", 5],
          ["b", 60],
          ["a", 61],
          ["a", 66],
        ]),
        enrolled,
      ),
    ).toBe(undefined);
  });

  const turns = [
    ["a", 0],
    ["b", 1],
    ["a", 5],
    ["b", 6],
  ] as const;

  it("are two runs that take turns; the machine that was enrolled is known by its fingerprint", () => {
    const evidence = conflictIn(heard(turns, { b: copied }), enrolled);
    expect(evidence?.isDecided).toBe(true);
    expect(evidence?.runs.map(({ runId, isForeign }) => [runId, isForeign])).toEqual([
      ["a", false],
      ["b", true],
    ]);
    const turned = conflictIn(heard(turns, { a: copied }), enrolled);
    expect(turned?.runs.find(({ isForeign }) => isForeign)?.runId).toBe("a");
    expect(turned?.isDecided).toBe(true);
  });

  it("decides nothing if both look enrolled, or neither does", () => {
    expect(conflictIn(heard(turns), enrolled)?.isDecided).toBe(false);
    expect(conflictIn(heard(turns, { a: copied, b: copied }), enrolled)?.isDecided).toBe(false);
  });

  it("does not take one repair for another machine", () => {
    const repaired = { ...enrolled, network: "new" };
    expect(conflictIn(heard(turns, { b: repaired }), enrolled)?.isDecided).toBe(false);
  });
});
