/** Sizes, durations and instants as text, and back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  counted,
  formatArrival,
  formatBytes,
  formatBytesShort,
  formatDuration,
  formatLocalTime,
  formatPercent,
  formatRate,
  parseDuration,
  parseInstant,
  shareOf,
} from "./quantities.ts";

describe("sizes", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.000 KiB"],
    [1536 * 1024, "1.500 MiB"],
    [5 * 1024 ** 3, "5.000 GiB"],
    [3 * 1024 ** 5, "3072.000 TiB"],
  ])("%d bytes are %s", (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });
});

describe("durations", () => {
  it.each([
    [0, "0:00"],
    [59_999, "0:59"],
    [60_000, "1:00"],
    [3_599_000, "59:59"],
    [3_600_000 + 61_000, "1:01:01"],
  ])("%d ms are shown as %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([
    ["0", 0],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["1.5m", 90_000],
    ["250ms", 250],
  ])("%s is read", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "5", "m", "5 m", "-5m", "5d", "1h30", "5m!"])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

it("percentages stop at 100 and are empty without a whole", () => {
  expect(formatPercent(1, 3)).toBe("33.33%");
  expect(formatPercent(5, 3)).toBe("100.00%");
  expect(formatPercent(5, 0)).toBe("");
  expect(shareOf(5, undefined)).toBe(0);
  expect(shareOf(5, 4)).toBe(1);
});

describe("instants", () => {
  it.each([
    ["2026-03-01T12:00:30Z", Date.UTC(2026, 2, 1, 12, 0, 30)],
    ["2026-03-01 12:00:30 +0130", Date.UTC(2026, 2, 1, 10, 30, 30)],
    ["2026-03-01 12:00 -01:00", Date.UTC(2026, 2, 1, 13, 0, 0)],
    ["2026-03-01 12:00:30.5 UTC", Date.UTC(2026, 2, 1, 12, 0, 30, 500)],
    ["2026-03-01", new Date(2026, 2, 1).getTime()],
    ["2026-03-01 12:00:30", new Date(2026, 2, 1, 12, 0, 30).getTime()],
  ])("%s is read", (text, timeMs) => {
    expect(parseInstant(text)).toBe(timeMs);
  });

  it.each([
    "",
    "now",
    "2026-02-30",
    "2026-13-01",
    "2026-03-01 24:00",
    "2026-03-01 12:60",
    "1.3.2026",
  ])("%j is none", (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it("what is shown is read back to the second", () => {
    const seconds = fc.integer({ min: 0, max: 4_000_000_000 });
    fc.assert(
      fc.property(seconds, (value) => {
        // An hour that a clock change repeats has two instants of one text.
        const difference = (parseInstant(formatLocalTime(value)) ?? 0) / 1000 - value;
        expect([0, 1800, -1800, 3600, -3600]).toContain(difference);
      }),
    );
  });
});

it("status lines have short forms", () => {
  expect(formatBytesShort(1000)).toBe("1000 B");
  expect(formatBytesShort(1536 * 1024)).toBe("1.5 MiB");
  expect(formatRate(2048.4)).toBe("2.0 KiB/s");
  expect(formatRate(undefined)).toBe("");
  expect(formatArrival(65_000)).toBe("ETA 1:05");
  expect(formatArrival(undefined)).toBe("");
});

it("nouns are counted", () => {
  expect([0, 1, 2].map((count) => counted(count, "error"))).toEqual([
    "0 errors",
    "1 error",
    "2 errors",
  ]);
});
