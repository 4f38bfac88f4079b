import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { NodeTime } from "./node.ts";
import { parseTime, timeText } from "./rfc3339.ts";

const parse = (text: string) => parseTime(new TextEncoder().encode(text));
const year0 = Date.parse("0000-01-01T00:00:00Z") / 1000;
const year10000 = Date.parse("+010000-01-01T00:00:00Z") / 1000;
const anyTime = fc.record<NodeTime>({
  seconds: fc.integer({ min: year0, max: year10000 - 1 }),
  nanoseconds: fc.oneof(
    fc.nat(999_999_999),
    fc.nat(999).map((part) => part * 1_000_000),
  ),
});

describe("timeText", () => {
  it.each([
    [0, 0, "1970-01-01T00:00:00Z"],
    [-1, 999_999_999, "1969-12-31T23:59:59.999999999Z"],
    [1, 100_000_000, "1970-01-01T00:00:01.1Z"],
    [1, 10, "1970-01-01T00:00:01.00000001Z"],
    [-62135596800, 0, "0001-01-01T00:00:00Z"],
    [951782400, 0, "2000-02-29T00:00:00Z"],
    [4107542400, 0, "2100-03-01T00:00:00Z"],
    [year0, 0, "0000-01-01T00:00:00Z"],
    [year10000 - 1, 999_999_999, "9999-12-31T23:59:59.999999999Z"],
  ])("writes %d s and %d ns as %s", (seconds, nanoseconds, text) => {
    expect(timeText({ seconds, nanoseconds })).toBe(text);
  });

  // What restic 0.18 wrote for files with such times.
  it.each([
    [year0 - 1, "0000-12-31T23:59:59Z"],
    [year10000, "9999-01-01T00:00:00Z"],
    [343597383680, "9999-03-02T13:41:20Z"],
    [316521302400, "9999-03-01T00:00:00Z"],
    [-(2 ** 55), "0000-07-20T17:33:52Z"],
  ])("keeps day and time of years that the format cannot hold: %d", (seconds, text) => {
    expect(timeText({ seconds, nanoseconds: 0 })).toBe(text);
  });

  it("agrees with Date on every second of ten thousand years", () => {
    fc.assert(
      fc.property(anyTime, ({ seconds }) => {
        const expected = new Date(seconds * 1000).toISOString().replace(".000Z", "Z");
        expect(timeText({ seconds, nanoseconds: 0 })).toBe(expected);
      }),
      { numRuns: 1000 },
    );
  });

  it("is undone by parseTime", () => {
    fc.assert(
      fc.property(anyTime, (time) => {
        expect(parse(timeText(time))).toEqual(time);
      }),
    );
  });
});

describe("parseTime", () => {
  it.each([
    ["2024-05-06T07:08:09+01:00", "2024-05-06T06:08:09Z"],
    ["2024-05-06T07:08:09.5-11:30", "2024-05-06T18:38:09.5Z"],
    ["2024-01-01T00:00:00.123456789123+23:59", "2023-12-31T00:01:00.123456789Z"],
    ["0000-01-01T00:00:00-00:01", "0000-01-01T00:01:00Z"],
  ])("reads %s as the instant %s", (text, utc) => {
    expect(parse(text)).toEqual(parse(utc));
    expect(parse(utc)).toBeDefined();
  });

  it.each([
    "",
    "2024-05-06",
    "2024-05-06T07:08:09",
    "2024-05-06 07:08:09Z",
    "2024-05-06t07:08:09z",
    "2024-05-06T07:08:09.Z",
    "2024-05-06T07:08:09,5Z",
    "2024-05-06T07:08:09Z ",
    "2024-05-06T07:08:09+0100",
    "2024-05-06T07:08:09+24:00",
    "2024-05-06T07:08:09+01:60",
    "2024-05-06T07:08:09*01:00",
    "2024-05-06T24:00:00Z",
    "2024-05-06T07:60:09Z",
    "2024-05-06T07:08:60Z",
    "2024-00-06T07:08:09Z",
    "2024-13-06T07:08:09Z",
    "2024-04-31T07:08:09Z",
    "2023-02-29T07:08:09Z",
    "1900-02-29T07:08:09Z",
    "+2024-05-06T07:08:09Z",
    "20x4-05-06T07:08:09Z",
    "2024-05-0 T07:08:09Z",
  ])("refuses %j", (text) => {
    expect(parse(text)).toBeUndefined();
  });
});
