import { afterAll, beforeAll, expect, it } from "vitest";
import { spokenAgo, spokenDuration, spokenMoment } from "./spoken-time.ts";

const minuteMs = 60_000;
const hourMs = 3_600_000;
const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

it("durations are said in the unit that fits, and never rounded up", () => {
  const said = [0, 59_999, minuteMs, 119.9 * minuteMs, 2 * hourMs, 26 * hourMs, 47.9 * hourMs];
  expect(said.map(spokenDuration)).toEqual([
    "less than a minute",
    "less than a minute",
    "1 minute",
    "119 minutes",
    "2 hours",
    "26 hours",
    "47 hours",
  ]);
  expect(spokenDuration(48 * hourMs)).toBe("2 days");
  expect(spokenDuration(21 * 24 * hourMs)).toBe("21 days");
});

it("what lies in the future by a changed clock is just now", () => {
  expect(spokenAgo(10_000_000, 0)).toBe("just now");
  expect(spokenAgo(0, 5 * minuteMs)).toBe("5 minutes ago");
});

it("moments are named by days of the calendar, also where the clock is changed in between", () => {
  // In the night before the clock goes forward: the next day begins 23 hours after the last did.
  const now = Date.parse("2026-03-28T23:30:00+01:00");
  const said = (text: string): string => spokenMoment(Date.parse(text), now);
  expect(said("2026-03-28T23:45:00+01:00")).toBe("today at 23:45");
  expect(said("2026-03-29T00:05:00+01:00")).toBe("tomorrow at 00:05");
  expect(said("2026-03-29T23:59:00+02:00")).toBe("tomorrow at 23:59");
  expect(said("2026-03-30T03:00:00+02:00")).toBe("on Monday at 03:00");
  expect(said("2026-04-03T03:00:00+02:00")).toBe("on Friday at 03:00");
  expect(said("2026-04-04T03:00:00+02:00")).toBe("on 2026-04-04 at 03:00");
  expect(said("2026-03-27T03:00:00+01:00")).toBe("yesterday at 03:00");
  expect(said("2026-03-20T03:00:00+01:00")).toBe("on 2026-03-20 at 03:00");
});
