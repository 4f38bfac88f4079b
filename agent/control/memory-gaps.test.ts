import { expect, it } from "vitest";
import { parseMemoryGaps, unheededGap } from "./memory-gaps.ts";

it("reads the gaps that a server tells of, and nothing else", () => {
  expect(parseMemoryGaps("20-10, 40-30")).toEqual([
    { notedMs: 20, reachesMs: 10 },
    { notedMs: 40, reachesMs: 30 },
  ]);
  for (const header of [undefined, "", "0", "x", "1-2-3", "-5", "1e3-4", "99999999999999999-1"])
    expect(parseMemoryGaps(header)).toEqual([]);
});

it("takes together what was not heeded yet, with some doubt of the machine's own time", () => {
  const gaps = parseMemoryGaps("200-100,600-300,900-500");
  const minutes = 2 * 60_000;
  expect(unheededGap(gaps, 0)).toEqual({ notedMs: 900, reachesMs: 100 - minutes });
  expect(unheededGap(gaps, 200)).toEqual({ notedMs: 900, reachesMs: 300 - minutes });
  expect(unheededGap(gaps, 900)).toBeUndefined();
  expect(unheededGap([], 0)).toBeUndefined();
});
