/** Rates and arrival times. */
import { expect, it } from "vitest";
import { RateEstimate } from "./rate-estimate.ts";

it("says nothing before there is something to say", () => {
  const rate = new RateEstimate();
  expect(rate.perSecond()).toBeUndefined();
  rate.add(0, 0);
  rate.add(1000, 500);
  expect(rate.perSecond()).toBeUndefined();
  expect(rate.remainingMs(1000)).toBeUndefined();
});

it("follows the last seconds, not the whole run", () => {
  const rate = new RateEstimate();
  for (let second = 0; second <= 60; second += 1) rate.add(second * 1000, second * 100);
  expect(rate.perSecond()).toBeCloseTo(100);
  for (let second = 61; second <= 80; second += 1)
    rate.add(second * 1000, 6000 + (second - 60) * 10);
  expect(rate.perSecond()).toBeCloseTo(10);
  expect(rate.remainingMs(6300)).toBeCloseTo(10_000);
});

it("knows no arrival while nothing moves, and none in the past", () => {
  const rate = new RateEstimate();
  for (let second = 0; second <= 20; second += 1) rate.add(second * 1000, 50);
  expect(rate.remainingMs(100)).toBeUndefined();
  for (let second = 21; second <= 40; second += 1) rate.add(second * 1000, second * 10);
  expect(rate.remainingMs(0)).toBe(0);
});
