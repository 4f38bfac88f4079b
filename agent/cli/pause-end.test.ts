import { afterAll, beforeAll, expect, it } from "vitest";
import { parsePauseEnd } from "./pause-end.ts";

const zone = process.env["TZ"];
beforeAll(() => {
  process.env["TZ"] = "Europe/Berlin";
});
afterAll(() => {
  if (zone === undefined) delete process.env["TZ"];
  else process.env["TZ"] = zone;
});

const now = Date.parse("2026-03-28T12:00:00+01:00");
const end = (...words: string[]): string | undefined => {
  const endMs = parsePauseEnd(words, now);
  return endMs === undefined ? undefined : new Date(endMs).toISOString();
};

it("durations are added up", () => {
  expect(end("2h")).toBe("2026-03-28T13:00:00.000Z");
  expect(end("1d12h")).toBe("2026-03-29T23:00:00.000Z");
  expect(end("1d", "30m")).toBe("2026-03-29T11:30:00.000Z");
  expect(end("1w")).toBe("2026-04-04T11:00:00.000Z");
});

it("a time of day is the next one, whatever the clock does meanwhile", () => {
  expect(end("until", "22:00")).toBe("2026-03-28T21:00:00.000Z");
  expect(end("until", "12:00")).toBe("2026-03-29T10:00:00.000Z");
  expect(end("until", "9:30")).toBe("2026-03-29T07:30:00.000Z");
});

it("a date is taken as local time", () => {
  expect(end("until", "2026-04-01", "08:00")).toBe("2026-04-01T06:00:00.000Z");
  expect(end("until", "2026-04-01")).toBe("2026-03-31T22:00:00.000Z");
});

it("what is no time to come is nothing", () => {
  for (const words of [
    "",
    "0m",
    "2",
    "2x",
    "until",
    "until 25:00",
    "until 12:60",
    "until 2026-01-01",
  ])
    expect(end(...words.split(" ")), words).toBeUndefined();
  expect(end("2h", "until", "22:00")).toBeUndefined();
});
