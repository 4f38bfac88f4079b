import fc from "fast-check";
import { expect, it } from "vitest";
import {
  defaultWaves,
  haltReason,
  isReached,
  nextRolloutStep,
  type RolloutObservation,
  type RolloutStand,
} from "./rollout.ts";

const start = Date.UTC(2026, 6, 1);
const dayMs = 86_400_000;

const standAt = (wave: number, id = "rollout-1"): RolloutStand => ({
  id,
  waves: [...defaultWaves],
  wave,
  waveSinceMs: start,
  state: "running",
  reason: "",
  startedMs: start,
  startedBy: "token:x",
});

const well = (given: Partial<RolloutObservation> = {}): RolloutObservation => ({
  members: 100,
  ran: 90,
  applyFailures: 0,
  newRunFailures: 0,
  silent: 0,
  others: 900,
  othersSilent: 90,
  selectedRatios: [1, 1.1, 0.9],
  ...given,
});

it.each<[string, number, Partial<RolloutObservation>, number, string]>([
  ["before it has soaked it waits", 0, {}, dayMs - 1, "wait"],
  ["when it has soaked the next wave comes", 0, {}, dayMs, "advance"],
  ["if nobody has run yet it waits", 0, { ran: 0, selectedRatios: [] }, 9 * dayMs, "wait"],
  ["a wave without machines is over at once", 0, { members: 0, ran: 0 }, 0, "advance"],
  ["the last wave needs no soaking", 3, { others: 0, othersSilent: 0 }, 0, "finish"],
  ["a machine in a hundred may refuse", 0, { applyFailures: 1 }, dayMs, "advance"],
  ["two may not", 0, { applyFailures: 2 }, 0, "halt"],
  ["one of few may not", 0, { members: 5, applyFailures: 1 }, 0, "halt"],
  ["backups that begin to fail", 1, { newRunFailures: 2 }, 0, "halt"],
  ["one of ninety may fail", 1, { newRunFailures: 1 }, dayMs, "advance"],
  ["machines that go silent", 1, { silent: 16 }, 0, "halt"],
  ["as many as of the others may be silent", 1, { silent: 10 }, dayMs, "advance"],
  ["in the last wave nobody is left to compare with", 3, { silent: 90, others: 0 }, 0, "finish"],
  ["far fewer bytes in the middle", 1, { selectedRatios: [1, 0.6, 0.5] }, 0, "halt"],
  ["a single one may have emptied its disk", 1, { selectedRatios: [1, 1, 0] }, dayMs, "advance"],
])("%s", (_, wave, seen, afterMs, kind) => {
  expect(nextRolloutStep(standAt(wave), well(seen), start + afterMs).kind).toBe(kind);
});

it("says in words why it halts", () => {
  expect(haltReason(well())).toBeUndefined();
  expect(haltReason(well({ selectedRatios: [0.4, 0.5] }))).toBe(
    "machines select 45 % of the bytes they selected before (median)",
  );
});

it("a machine that was reached stays reached, and each wave holds about as many as it says", () => {
  const machines = Array.from({ length: 20_000 }, (_, number) => `machine-${number}`);
  let before = new Set<string>();
  for (const [wave, { percent }] of defaultWaves.entries()) {
    const reached = new Set(machines.filter((id) => isReached(standAt(wave), id)));
    for (const id of before) expect(reached.has(id)).toBe(true);
    expect(Math.abs(reached.size / 200 - percent)).toBeLessThan(1.5);
    before = reached;
  }
  expect(before.size).toBe(machines.length);
});

it("different rollouts begin with different machines", () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (one, two) => {
      fc.pre(one !== two);
      const machines = Array.from({ length: 2000 }, (_, number) => `${number}`);
      const first = machines.filter((id) => isReached(standAt(1, one), id));
      const both = first.filter((id) => isReached(standAt(1, two), id));
      expect(both.length).toBeLessThan(first.length / 2);
    }),
    { numRuns: 20 },
  );
});
