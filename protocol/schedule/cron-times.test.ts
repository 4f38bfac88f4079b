import fc from "fast-check";
import { createTask, validate } from "node-cron";
import { describe, expect, it } from "vitest";
import { parseCron } from "./cron-expression.ts";
import { cronTimes } from "./cron-times.ts";
import { dayMs } from "./local-time.ts";

function isTaken(text: string): boolean {
  try {
    parseCron(text);
    return true;
  } catch (error) {
    expect(error).toHaveProperty("name", "CronSyntaxError");
    return false;
  }
}

/** Whether a time fits, by node-cron. */
function oracle(text: string): (atMs: number) => boolean {
  const task = createTask(text, () => undefined, { timezone: "UTC" });
  return (atMs) => task.match(new Date(atMs));
}

const month = fc.constantFrom("1", "02", "12", "jan", "FEB", "march", "December", "jun");
const weekday = fc.constantFrom("0", "3", "6", "7", "sun", "Monday", "FRI", "wednesday");

function field(min: number, max: number, names?: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const number = names ?? fc.integer({ min, max }).map(String);
  const step = fc.constantFrom("", "", "/1", "/2", "/7", "/15", "/100", "/0");
  const token = fc.oneof(
    { arbitrary: number, weight: 3 },
    { arbitrary: fc.tuple(number, number, step).map(([a, b, c]) => `${a}-${b}${c}`), weight: 2 },
    { arbitrary: step.map((each) => `*${each}`), weight: 1 },
  );
  return fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join(","));
}

const dayOfMonth = fc.oneof(
  fc.constant("*"),
  field(1, 31),
  fc.constantFrom(
    "?",
    "L",
    "l",
    "L-3",
    "l-30",
    "LW",
    "15W",
    "1w",
    "31W",
    "L,15",
    "1,LW",
    "L-31",
    "32W",
    "0W",
  ),
);
const dayOfWeek = fc.oneof(
  fc.constant("*"),
  field(0, 7, weekday),
  fc.constantFrom(
    "?",
    "5L",
    "7l",
    "friL",
    "1#2",
    "mon#5",
    "7#1",
    "2#6",
    "L",
    "1#2,5L",
    "0-7",
    "7-2",
  ),
);
const expression = fc
  .tuple(
    fc.option(field(0, 59), { nil: undefined }),
    field(0, 59),
    field(0, 23),
    dayOfMonth,
    field(1, 12, month),
    dayOfWeek,
  )
  .map((fields) => fields.filter((each) => each !== undefined).join(" "));

/** One character put in, left out or changed. */
const spoilt = fc
  .tuple(
    expression,
    fc.nat(60),
    fc.constantFrom("", "*", "/", "-", ",", "L", "W", "#", "?", "6", " ", "x", "\t", "@"),
    fc.nat(1),
  )
  .map(([text, at, put, drop]) => text.slice(0, at) + put + text.slice(at + drop));

/** What node-cron takes although it means nothing, and we do not: `5*` is read as `50-59`, `jan5` as `15`, steps of `mar` as of 3. */
const isMeaningless = (text: string): boolean =>
  text
    .split(/[ ,]/)
    .some(
      (token) =>
        /[^/]\*|\*[^/]|\/[a-z]/i.test(token) ||
        /[a-z][a-z]*[0-9#]*[a-z]*\d|\d[a-z]{2,}/i.test(token.replace(/#[1-5]$/, "")) ||
        /^(\d+)-(\d+)/.test(token),
    );

describe("takes what node-cron takes", () => {
  it("of expressions that look like one", () => {
    let taken = 0;
    fc.assert(
      fc.property(expression, (text) => {
        const wanted = validate(text);
        if (wanted) taken++;
        expect({ text, isTaken: isTaken(text) }).toEqual({ text, isTaken: wanted });
      }),
      { numRuns: 2000 },
    );
    expect(taken).toBeGreaterThan(200);
  });

  it("of spoilt ones, and never more", () => {
    fc.assert(
      fc.property(spoilt, (text) => {
        if (isTaken(text))
          expect({ text, isTaken: validate(text) }).toEqual({ text, isTaken: true });
        else if (!isMeaningless(text))
          expect({ text, isTaken: validate(text) }).toEqual({ text, isTaken: false });
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    "@daily",
    " @Hourly ",
    "@yearly",
    "@reboot",
    "",
    "* * * *",
    "* * * * * * *",
    "0 0 30 2 *",
    "0 0 30,31 2-4 *",
    "0  0 * * *",
    "* * 5/2 * *",
  ])("%s", (text) => {
    expect(isTaken(text)).toBe(validate(text));
  });
});

it("comes when node-cron says", () => {
  fc.assert(
    fc.property(
      expression.filter((text) => validate(text)),
      fc.integer({ min: Date.UTC(2024, 0), max: Date.UTC(2034, 0) }),
      fc.array(fc.nat(1e9), { minLength: 10, maxLength: 10 }),
      (text, startMs, distances) => {
        const fits = oracle(text);
        const { next } = cronTimes(parseCron(text));
        const first = next(startMs);
        if (first === undefined) return;
        expect({ text, first, fits: fits(first) }).toEqual({ text, first, fits: true });
        // Nothing in between fits: looked at here and there, and right before.
        for (const distance of [
          1000,
          60_000,
          dayMs,
          ...distances.map((each) => (1 + (each % 1e6)) * 1000),
        ]) {
          const at = first - distance;
          if (at < startMs) continue;
          expect({ text, at, fits: fits(at) }).toEqual({ text, at, fits: false });
        }
      },
    ),
    { numRuns: 1500 },
  );
});

it.each([
  ["30 5,17 * * mon-fri", 60_000, 12],
  ["0 */6 15W * *", 60_000, 24],
  ["0 22 * * 5L,2#1", 60_000, 16],
  ["15,45 30 4 L-1,LW * ?", 15_000, 5],
])("finds every time of %s", (text, stepMs, days) => {
  const fits = oracle(text);
  const { next } = cronTimes(parseCron(text));
  const expected: number[] = [];
  const startMs = Date.UTC(2026, 0, 27);
  const endMs = startMs + days * dayMs;
  for (let at = startMs; at < endMs; at += stepMs) if (fits(at)) expected.push(at);
  const found: number[] = [];
  for (let at = next(startMs); at !== undefined && at < endMs; at = next(at + 1)) found.push(at);
  expect(expected.length).toBeGreaterThan(0);
  expect(found).toEqual(expected);
});

it("finds a day that is decades away, and that one never comes", () => {
  expect(cronTimes(parseCron("0 0 L-30 2 *")).next(Date.UTC(2026, 0))).toBeUndefined();
  const leapSaturday = cronTimes(parseCron("0 0 29 2 sat")).next(Date.UTC(2076, 2, 1)) ?? 0;
  let year = 2080;
  while (new Date(Date.UTC(year, 1, 29)).getUTCDay() !== 6 || year % 100 === 0) year += 4;
  expect(new Date(leapSaturday).toISOString().slice(0, 10)).toBe(`${year}-02-29`);
  expect(year).toBeGreaterThan(2100);
});
