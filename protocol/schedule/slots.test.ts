import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ScheduleRules, scheduleRules } from "../policy/schedule-rules.ts";
import { windowHold, windowState } from "./backup-window.ts";
import { dayMs, hourMs, minuteMs } from "./local-time.ts";
import { scheduleProblems } from "./schedule-problems.ts";
import { scheduleInWords } from "./schedule-words.ts";
import { lastSlot, nextSlot } from "./slots.ts";

function rules(given: Parameters<typeof scheduleRules.parse>[0]): ScheduleRules {
  return scheduleRules.parse(given);
}

function offsetMs(moment: Temporal.ZonedDateTime): number {
  return moment.offsetNanoseconds / 1e6;
}

/** The first slots after a local time, as the clock of the zone shows them. */
function slots(given: ScheduleRules, zone: string, after: string, count: number): string[] {
  const found: string[] = [];
  let at = Temporal.PlainDateTime.from(after).toZonedDateTime(zone).epochMilliseconds;
  while (found.length < count) {
    const slot = nextSlot(given, zone, at);
    if (slot === undefined) break;
    at = slot.atMs;
    const shown = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
    found.push(shown.toPlainDateTime().toString({ smallestUnit: "minute" }).slice(5));
  }
  return found;
}

describe("daily", () => {
  it("runs on the chosen days", () => {
    const daily = rules({ timers: [{ every: "day", at: "22:00", days: ["monday", "saturday"] }] });
    expect(slots(daily, "Asia/Tokyo", "2026-01-01T00:00", 4)).toEqual([
      "01-03T22:00",
      "01-05T22:00",
      "01-10T22:00",
      "01-12T22:00",
    ]);
  });

  it("outside of the backup window runs where that opens", () => {
    const daily = rules({
      timers: [
        { every: "day", at: "12:00" },
        { every: "day", at: "13:00" },
        { every: "day", at: "23:00" },
      ],
      window: [{ from: "20:00", to: "06:00" }],
    });
    expect(slots(daily, "Europe/Paris", "2026-01-01T00:00", 4)).toEqual([
      "01-01T20:00",
      "01-01T23:00",
      "01-02T20:00",
      "01-02T23:00",
    ]);
  });
});

describe("monthly", () => {
  const at = "03:00";
  it.each([
    ["day 31", { every: "month", at, day: 31 }, ["01-31", "03-31", "05-31", "07-31"]],
    ["the last day", { every: "month", at, day: "last" }, ["01-31", "02-28", "03-31", "04-30"]],
    [
      "the second Sunday",
      { every: "month", at, day: { ordinal: "second", weekday: "sunday" } },
      ["01-11", "02-08", "03-08", "04-12"],
    ],
    [
      "the last Friday",
      { every: "month", at, day: { ordinal: "last", weekday: "friday" } },
      ["01-30", "02-27", "03-27", "04-24"],
    ],
    ["chosen months", { every: "month", at, day: 1, months: [6, 12] }, ["06-01", "12-01", "06-01"]],
  ])("runs on %s", (_what, timer, days) => {
    const monthly = rules({ timers: [timer as never] });
    expect(slots(monthly, "America/New_York", "2026-01-01T12:00", days.length)).toEqual(
      days.map((day) => `${day}T03:00`),
    );
  });

  it("finds 29 February from any year", () => {
    const leap = rules({ timers: [{ every: "month", at: "00:00", day: 29, months: [2] }] });
    const first = nextSlot(leap, "UTC", Date.UTC(2096, 2, 1));
    expect(new Date(first?.atMs ?? 0).toISOString()).toBe("2104-02-29T00:00:00.000Z");
  });
});

describe("every so often", () => {
  it("counts from midnight and begins anew there", () => {
    const sevenHours = rules({ timers: [{ every: "interval", interval: "7h", offset: "30m" }] });
    expect(slots(sevenHours, "UTC", "2026-01-01T00:00", 5)).toEqual([
      "01-01T00:30",
      "01-01T07:30",
      "01-01T14:30",
      "01-01T21:30",
      "01-02T00:30",
    ]);
  });

  it("runs where permitted hours open, then returns to the grid", () => {
    const permitted = [{ from: "09:00", to: "17:00" }];
    const grid = rules({ timers: [{ every: "interval", interval: "2h", permitted }] });
    expect(slots(grid, "Europe/Berlin", "2026-05-04T00:00", 6)).toEqual([
      "05-04T09:00",
      "05-04T10:00",
      "05-04T12:00",
      "05-04T14:00",
      "05-04T16:00",
      "05-05T09:00",
    ]);
  });

  it.each(["permitted", "window"] as const)(
    "moves the run at the opening with the grid: %s",
    (by) => {
      const hours = [{ from: "19:00", to: "07:00" }];
      const timer = { every: "interval", interval: "4h", offset: "15m" } as const;
      const given =
        by === "window"
          ? { timers: [timer], window: hours }
          : { timers: [{ ...timer, permitted: hours }] };
      expect(slots(rules(given), "Europe/Berlin", "2026-05-04T12:00", 5)).toEqual([
        "05-04T19:15",
        "05-04T20:15",
        "05-05T00:15",
        "05-05T04:15",
        "05-05T19:15",
      ]);
    },
  );

  it("runs at no opening before which no slot fell away", () => {
    const permitted = [
      { from: "09:00", to: "11:00" },
      { from: "11:30", to: "17:00" },
    ];
    const grid = rules({ timers: [{ every: "interval", interval: "4h", permitted }] });
    expect(slots(grid, "UTC", "2026-05-04T00:00", 4)).toEqual([
      "05-04T09:00",
      "05-04T12:00",
      "05-04T16:00",
      "05-05T09:00",
    ]);
  });

  it("keeps both the permitted hours and the window", () => {
    const grid = rules({
      timers: [{ every: "interval", interval: "1h", permitted: [{ from: "00:00", to: "12:00" }] }],
      window: [{ from: "10:00", to: "00:00" }],
    });
    expect(slots(grid, "UTC", "2026-05-04T00:00", 3)).toEqual([
      "05-04T10:00",
      "05-04T11:00",
      "05-05T10:00",
    ]);
  });

  it("longer than a day counts on from a Monday", () => {
    const weekly = rules({ timers: [{ every: "interval", interval: "1w", offset: "3h" }] });
    expect(slots(weekly, "UTC", "2026-05-06T00:00", 3)).toEqual([
      "05-11T03:00",
      "05-18T03:00",
      "05-25T03:00",
    ]);
  });

  it("up to an hour is never further apart than that, unless the clock is moved by less", () => {
    const zones = Intl.supportedValuesOf("timeZone");
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2055, 0) }),
        fc.constantFrom(10, 15, 20, 30, 60),
        (zone, startMs, minutes) => {
          const grid = rules({ timers: [{ every: "interval", interval: `${minutes}m` }] });
          const change = Temporal.Instant.fromEpochMilliseconds(startMs)
            .toZonedDateTimeISO(zone)
            .getTimeZoneTransition("next");
          const movedMs =
            change === null ? 0 : offsetMs(change) - offsetMs(change.subtract("PT1S"));
          const apartMsMax = minutes * minuteMs + (Math.abs(movedMs) % (minutes * minuteMs));
          let at = (change?.epochMilliseconds ?? startMs) - 2 * hourMs;
          for (const endMs = at + 4 * hourMs; at < endMs; ) {
            const next = nextSlot(grid, zone, at)?.atMs ?? 0;
            expect(next).toBeGreaterThan(at);
            expect(next - at).toBeLessThanOrEqual(apartMsMax);
            at = next;
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

const someTimer = fc.oneof(
  fc.record({ every: fc.constant("day"), at: fc.constantFrom("00:00", "02:30", "23:59") }),
  fc.record({
    every: fc.constant("month"),
    at: fc.constantFrom("00:30", "12:00"),
    day: fc.constantFrom(1, 31, "last", { ordinal: "first", weekday: "monday" }),
  }),
  fc.record({
    every: fc.constant("interval"),
    interval: fc.constantFrom("7m", "1h", "5h", "1d", "36h"),
    permitted: fc.constantFrom(
      undefined,
      [{ from: "08:10", to: "08:05" }],
      [{ from: "22:00", to: "02:15" }],
    ),
  }),
);
const someWindow = fc.constantFrom(undefined, [
  { days: "weekend", from: "22:00", to: "04:00" },
  { days: ["tuesday"], from: "00:00", to: "00:00" },
]);

it("the last slot is the one that walking forward finds; slots lie in the window", () => {
  fc.assert(
    fc.property(
      fc.array(someTimer, { minLength: 1, maxLength: 3 }),
      someWindow,
      fc.constantFrom(...Intl.supportedValuesOf("timeZone")),
      fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2040, 0) }),
      fc.integer({ min: 1, max: 4 * dayMs }),
      (timers, window, zone, afterMs, lengthMs) => {
        const given = rules(JSON.parse(JSON.stringify({ timers, window })));
        let last: number | undefined;
        for (let at = afterMs; ; ) {
          const next = nextSlot(given, zone, at);
          if (next === undefined || next.atMs > afterMs + lengthMs) break;
          const { isOpen, changesMs } = windowState(given.window, zone, next.atMs);
          // A window that lies in hours that the clock jumps over never opens, and its slot comes all the same.
          if (!isOpen)
            expect(windowState(given.window, zone, next.atMs - 1).changesMs).toBe(changesMs);
          at = next.atMs;
          last = at;
        }
        expect(lastSlot(given, zone, afterMs, afterMs + lengthMs)?.atMs).toBe(last);
      },
    ),
    { numRuns: 150 },
  );
});

describe("a backup window", () => {
  const hours = scheduleRules.parse({
    window: [
      { days: ["friday"], from: "22:00", to: "06:00" },
      { days: ["saturday"], from: "06:00", to: "07:00" },
    ],
  }).window;
  const at = (text: string): number => Date.parse(text);

  it("belongs to the day on which it begins, and joins the next", () => {
    expect(windowState(hours, "UTC", at("2026-05-08T21:59Z"))).toEqual({
      isOpen: false,
      changesMs: at("2026-05-08T22:00Z"),
    });
    expect(windowState(hours, "UTC", at("2026-05-09T05:00Z"))).toEqual({
      isOpen: true,
      changesMs: at("2026-05-09T07:00Z"),
    });
    expect(windowState(undefined, "UTC", 0)).toEqual({ isOpen: true });
  });

  it("opens and closes with the clock that is put forward", () => {
    const night = scheduleRules.parse({ window: [{ from: "02:30", to: "04:00" }] }).window;
    expect(windowState(night, "Europe/Berlin", at("2026-03-29T00:30Z"))).toEqual({
      isOpen: false,
      changesMs: at("2026-03-29T01:00Z"),
    });
    const gone = scheduleRules.parse({ window: [{ from: "02:15", to: "02:45" }] }).window;
    expect(windowState(gone, "Europe/Berlin", at("2026-03-29T00:30Z")).changesMs).toBe(
      at("2026-03-30T00:15Z"),
    );
  });
});

it("a closed window holds a run until it opens, in words", () => {
  const given = rules({ window: [{ from: "22:00", to: "06:00" }], timeZone: "Europe/Berlin" });
  expect(windowHold(given, "UTC", Date.parse("2026-05-04T10:00Z"))).toEqual({
    code: "window",
    text: "until the backup window opens at 22:00",
    untilMs: Date.parse("2026-05-04T20:00Z"),
  });
  expect(windowHold(given, "UTC", Date.parse("2026-05-04T21:00Z"))).toBeUndefined();
});

it("says what never comes, what can't be read, and nothing of what works", () => {
  const text = (given: Parameters<typeof rules>[0]): string[] =>
    scheduleProblems(rules(given)).map((problem) => `${problem.path.join(".")} ${problem.text}`);
  expect(text({ timers: [{ every: "month", at: "01:00", day: 30, months: [2] }] })).toEqual([
    "timers.0 never comes: on the 30th of February at 01:00",
  ]);
  expect(
    text({ timers: [{ every: "continuous" }, { every: "cron", expression: "61 * * * *" }] }),
  ).toEqual(['timers.1.expression has a field for the minute that can\'t be read: "61"']);
  expect(
    text({
      timers: [
        {
          every: "interval",
          interval: "1h",
          permitted: [{ days: ["monday"], from: "00:00", to: "01:00" }],
        },
      ],
      window: [{ days: ["friday"], from: "00:00", to: "23:00" }],
    }),
  ).toHaveLength(1);
  expect(text({ timers: [{ every: "cron", expression: "0 0 29 2 5" }] })).toEqual([]);
});

it("tells a schedule in words", () => {
  const given = rules({
    timers: [
      { every: "day", at: "22:30" },
      { every: "day", at: "08:00", days: ["monday", "friday"] },
      { every: "month", at: "01:00", day: 22, months: [1, 7] },
      { every: "interval", interval: "90m" },
      { every: "after-policy", policy: "mail" },
    ],
    events: ["lock"],
  });
  expect(scheduleInWords(given)).toBe(
    "every day at 22:30; on Mondays and Fridays at 08:00; on the 22nd of January and July at 01:00; " +
      "every 1 h 30 min; after policy mail; when a screen is locked",
  );
  expect(scheduleInWords(rules({}))).toBe("only by hand");
});
