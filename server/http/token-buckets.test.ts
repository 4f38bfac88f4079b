import { expect, it } from "vitest";
import { TokenBuckets } from "./token-buckets.ts";

it("lets a burst through, then a steady rate, for each key by itself", () => {
  let nowMs = 0;
  const buckets = new TokenBuckets({ burst: 3, perSecond: 2 }, () => nowMs);
  expect([1, 2, 3, 4].map(() => buckets.take("a"))).toEqual([0, 0, 0, 1]);
  expect(buckets.take("b")).toBe(0);
  nowMs += 500;
  expect([buckets.take("a"), buckets.take("a")]).toEqual([0, 1]);
  nowMs += 3_600_000;
  expect([1, 2, 3, 4].map(() => buckets.take("a"))).toEqual([0, 0, 0, 1]);
  expect(buckets.take("c", 5)).toBe(1);
  nowMs -= 10_000;
  expect(buckets.take("a")).toBe(1);
});

it("remembers no more than so many", () => {
  let nowMs = 0;
  const buckets = new TokenBuckets({ burst: 1, perSecond: 1 }, () => nowMs);
  for (let number = 0; number < 120_000; number++) buckets.take(`${number}`);
  expect(buckets.size).toBeLessThanOrEqual(50_000);
  expect(buckets.take("119999")).toBe(1);
  nowMs += 5000;
  for (let number = 0; number < 10_000; number++) buckets.take(`new ${number}`);
  expect(buckets.size).toBeLessThanOrEqual(50_000);
});
