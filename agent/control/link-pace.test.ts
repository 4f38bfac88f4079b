import fc from "fast-check";
import { expect, it } from "vitest";
import { firstPollDelayMs, pollDelayMs, retryDelayMs, wakeOffMs } from "./link-pace.ts";

const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const failures = fc.integer({ min: 1, max: 10_000 });

it("polls as often as the server asks, give or take a fifth, within reason", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), chance, (asked, at) => {
      const delayMs = pollDelayMs(asked, () => at);
      expect(delayMs).toBeGreaterThanOrEqual(4000);
      expect(delayMs).toBeLessThanOrEqual(86_400_000 * 1.2);
      if (asked < 5 || asked > 86_400) return;
      expect(delayMs / asked / 1000).toBeGreaterThanOrEqual(0.8 - 1e-9);
      expect(delayMs / asked / 1000).toBeLessThanOrEqual(1.2 + 1e-9);
    }),
  );
});

it("waits longer after each failure, up to a cap that is spread and does not cut the spread off", () => {
  fc.assert(
    fc.property(failures, chance, (count, at) => {
      const delayMs = retryDelayMs(count, undefined, () => at);
      const middleMs = Math.min(900_000, 30_000 * 2 ** (count - 1));
      expect(delayMs).toBeGreaterThanOrEqual(middleMs / 2);
      expect(delayMs).toBeLessThanOrEqual(middleMs * 1.5 + (count === 1 ? 120_000 : 0));
    }),
  );
  const spread = [0, 0.5, 0.999].map((at) => retryDelayMs(50, undefined, () => at));
  expect(spread).toEqual([450_000, 900_000, 900_000 * (0.5 + 0.999)]);
});

it("keeps what the server asks for, spread, and never for more than an hour and a half", () => {
  fc.assert(
    fc.property(failures, fc.integer({ min: 0, max: 1e9 }), chance, (count, askedMs, at) => {
      const delayMs = retryDelayMs(count, askedMs, () => at);
      const keptMs = Math.min(askedMs, 3_600_000);
      expect(delayMs).toBeGreaterThanOrEqual(keptMs * (1 + at / 2) - 1e-6);
      // Who asks for a time is there: the first wait has no extra spread.
      const ownMs = retryDelayMs(count, undefined, () => at) - (count === 1 ? 120_000 * at : 0);
      expect(delayMs).toBeCloseTo(Math.max(ownMs, keptMs * (1 + at / 2)), 3);
    }),
  );
});

it("spreads the first polls of machines that start together, but not of one that was enrolled just now", () => {
  expect(firstPollDelayMs(true, () => 0.9)).toBe(0);
  expect([0, 0.5].map((at) => firstPollDelayMs(false, () => at))).toEqual([0, 60_000]);
  expect([0, 0.5].map((at) => wakeOffMs(() => at))).toEqual([900_000, 1_800_000]);
});
