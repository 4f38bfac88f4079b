/** Small values of policies are read as people write them, and written back as they would. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { daySet, duration, size, timeOfDay, weekdays } from "./scalars.ts";

it.each([
  ["90s", 90_000, "1m 30s"],
  ["0s", 0, "0s"],
  ["26h", 93_600_000, "1d 2h"],
  ["1d 12h", 129_600_000, "1d 12h"],
  ["1d12h", 129_600_000, "1d 12h"],
  ["2w", 1_209_600_000, "14d"],
])("reads the duration %s", (text, ms, written) => {
  expect(duration.parse(text)).toBe(ms);
  expect(z.encode(duration, ms)).toBe(written);
});

it.each([
  ["1.5 GiB", 1_610_612_736, "1536 MiB"],
  ["500 MiB", 524_288_000, "500 MiB"],
  ["1000B", 1000, "1000 B"],
  ["0 B", 0, "0 B"],
])("reads the size %s", (text, bytes, written) => {
  expect(size.parse(text)).toBe(bytes);
  expect(z.encode(size, bytes)).toBe(written);
});

it.each(["", "5", "m", "1.5h", "-1h", "1h  2m", "1H", "99999999w", "9999999w".repeat(2)])(
  "refuses %j as a duration",
  (text) => {
    expect(duration.safeParse(text).success).toBe(false);
  },
);

it.each(["", "5", "1 MB", "1 gib", "1. GiB", "99999999999 TiB"])("refuses %j as a size", (text) => {
  expect(size.safeParse(text).success).toBe(false);
});

it.each(["24:00", "7:00", "12:60", "12:00:00", "noon"])("refuses %j as a time of day", (text) => {
  expect(timeOfDay.safeParse(text).success).toBe(false);
});

it.each([
  ["everyday", weekdays],
  ["weekdays", weekdays.slice(0, 5)],
  ["weekend", weekdays.slice(5)],
  [
    ["friday", "monday"],
    ["monday", "friday"],
  ],
])("reads the days %j", (given, days) => {
  expect(daySet.parse(given)).toEqual(days);
});

it("whatever value is written is read as the same value", () => {
  const seconds = fc.nat(2 ** 31).map((count) => count * 1000);
  const days = fc.subarray([...weekdays], { minLength: 1 });
  fc.assert(
    fc.property(seconds, fc.maxSafeNat(), fc.nat(1439), days, (ms, bytes, minutes, chosen) => {
      expect(duration.parse(z.encode(duration, ms))).toBe(ms);
      expect(size.parse(z.encode(size, bytes % 1e15))).toBe(bytes % 1e15);
      expect(timeOfDay.parse(z.encode(timeOfDay, minutes))).toBe(minutes);
      expect(daySet.parse(z.encode(daySet, chosen))).toEqual(chosen);
    }),
  );
});
