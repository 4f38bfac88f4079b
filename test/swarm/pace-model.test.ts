import { expect, it } from "vitest";
import { modelledPace } from "./pace-model.ts";

const agents = 10_000;
const outageAtSeconds = 1200;

function mean(counts: Uint32Array, from: number, to: number): number {
  return counts.subarray(from, to).reduce((sum, count) => sum + count, 0) / (to - from);
}

it.each([5, 10, 60])("an outage of %i minutes makes no stampede and leaves no echo", (minutes) => {
  const outageSeconds = minutes * 60;
  const backSeconds = outageAtSeconds + outageSeconds;
  const untilSeconds = backSeconds + 5400;
  const { polls, wakes } = modelledPace({
    agents,
    seed: minutes,
    holdSeconds: 50,
    outageAtSeconds,
    outageSeconds,
    untilSeconds,
  });
  const steadyPolls = mean(polls, 600, outageAtSeconds);
  expect(steadyPolls).toBeGreaterThan(agents / 320);
  expect(steadyPolls).toBeLessThan(agents / 280);
  const all = polls.map((count, second) => count + wakes[second]);
  const steady = mean(all, 600, outageAtSeconds);
  const peak = Math.max(...all.subarray(backSeconds));
  expect(peak / steady, "busiest second after the outage against the steady mean").toBeLessThan(
    1.6,
  );
  // Nobody is left behind, and what came back together has spread.
  expect(mean(polls, untilSeconds - 1800, untilSeconds) / steadyPolls).toBeCloseTo(1, 1);
  const late = Math.max(...all.subarray(untilSeconds - 1800));
  expect(late / steady).toBeLessThan(1.5);
});
