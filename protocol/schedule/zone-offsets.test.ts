import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { calendarDay, dayMs, dayNumber, hourMs, minuteMs } from "./local-time.ts";
import type { LocalTimes } from "./local-times.ts";
import { localTime, nextMoment } from "./zone-offsets.ts";

const zones = Intl.supportedValuesOf("timeZone");

function dailyAt(minute: number): LocalTimes {
  return {
    repeats: false,
    next: (fromMs) => Math.ceil((fromMs - minute * minuteMs) / dayMs) * dayMs + minute * minuteMs,
  };
}

function every(minutes: number, repeats: boolean): LocalTimes {
  const stepMs = minutes * minuteMs;
  return { repeats, next: (fromMs) => Math.ceil(fromMs / stepMs) * stepMs };
}

/** All moments of a local time between two instants, both given as ISO text; as ISO text. */
function moments(times: LocalTimes, zone: string, from: string, to: string): string[] {
  const found: string[] = [];
  for (let at = Date.parse(from); ; ) {
    const next = nextMoment(times, zone, at);
    if (next === undefined || next > Date.parse(to)) return found;
    found.push(new Date(next).toISOString().slice(0, 16));
    at = next;
  }
}

describe("a time of day", () => {
  it("that the clock jumps over comes once, right after the jump", () => {
    expect(
      moments(dailyAt(150), "Europe/Berlin", "2026-03-28T00:00Z", "2026-03-30T12:00Z"),
    ).toEqual(["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"]);
  });

  it("that the clock shows twice comes once, the first time", () => {
    expect(
      moments(dailyAt(150), "Europe/Berlin", "2026-10-24T00:00Z", "2026-10-26T12:00Z"),
    ).toEqual(["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]);
  });

  it("comes once where half an hour is shown twice", () => {
    expect(
      moments(dailyAt(105), "Australia/Lord_Howe", "2026-04-04T00:00Z", "2026-04-06T00:00Z"),
    ).toEqual(["2026-04-04T14:45", "2026-04-05T15:15"]);
  });

  it("comes once where the evening is shown twice and midnight with it", () => {
    // The clock of St. John's went from 0:01 back to 23:01 of the day before.
    const window = ["2010-11-06T12:00Z", "2010-11-08T12:00Z"] as const;
    expect(moments(dailyAt(0), "America/St_Johns", ...window)).toEqual([
      "2010-11-07T02:30",
      "2010-11-08T03:30",
    ]);
    expect(moments(dailyAt(23 * 60 + 30), "America/St_Johns", ...window)).toEqual([
      "2010-11-07T02:00",
      "2010-11-08T03:00",
    ]);
  });

  it("comes once for a day that a country skipped", () => {
    expect(
      moments(dailyAt(14 * 60), "Pacific/Apia", "2011-12-29T00:00Z", "2012-01-01T12:00Z"),
    ).toEqual(["2011-12-30T00:00", "2011-12-30T10:00", "2011-12-31T00:00", "2012-01-01T00:00"]);
  });
});

it("what runs every so often goes on in the hour that is shown twice", () => {
  const night = ["2026-10-24T23:45Z", "2026-10-25T02:00Z"] as const;
  expect(moments(every(30, true), "Europe/Berlin", ...night)).toEqual([
    "2026-10-25T00:00",
    "2026-10-25T00:30",
    "2026-10-25T01:00",
    "2026-10-25T01:30",
    "2026-10-25T02:00",
  ]);
  expect(moments(every(30, false), "Europe/Berlin", ...night)).toEqual([
    "2026-10-25T00:00",
    "2026-10-25T00:30",
    "2026-10-25T02:00",
  ]);
});

/** What the clock shows each minute, walked through one by one: the slow truth. */
function walked(minuteOfDay: number, zone: string, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  const isWanted = (localMs: number): boolean =>
    localMs - dayNumber(localMs) * dayMs === minuteOfDay * minuteMs;
  let newest = shown(zone, fromMs - minuteMs);
  for (let at = fromMs; at <= toMs; at += minuteMs) {
    const now = shown(zone, at);
    let isDue = false;
    for (let local = newest + minuteMs; local <= now; local += minuteMs) isDue ||= isWanted(local);
    if (isDue) found.push(at);
    newest = Math.max(newest, now);
  }
  return found;
}

function shown(zone: string, atMs: number): number {
  const text = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone);
  return Date.parse(`${text.toPlainDateTime().toString({ smallestUnit: "minute" })}Z`);
}

it("agrees with a walk minute by minute around the changes of any zone, for decades", () => {
  const changes = fc
    .tuple(fc.constantFrom(...zones), fc.integer({ min: 1972, max: 2060 }))
    .map(([zone, year]) => {
      const start = Temporal.PlainDate.from({ year, month: 1, day: 3 }).toZonedDateTime(zone);
      return { zone, at: start.getTimeZoneTransition("next") ?? start };
    });
  fc.assert(
    fc.property(changes, fc.integer({ min: -120, max: 120 }), ({ zone, at }, minutes) => {
      const changeMs = Math.floor(at.epochMilliseconds / minuteMs) * minuteMs;
      const fromMs = changeMs - 20 * hourMs;
      const toMs = changeMs + 20 * hourMs;
      const local = localTime(zone, changeMs) + minutes * minuteMs;
      const minuteOfDay = Math.floor((local - dayNumber(local) * dayMs) / minuteMs);
      const expected = walked(minuteOfDay, zone, fromMs, toMs);
      const found: number[] = [];
      for (let after = fromMs - 1; ; ) {
        const next = nextMoment(dailyAt(minuteOfDay), zone, after);
        if (next === undefined || next > toMs) break;
        found.push(next);
        after = next;
      }
      expect({ zone, found }).toEqual({ zone, found: expected });
    }),
    { numRuns: 60 },
  );
});

it("knows the days of the calendar", () => {
  fc.assert(
    fc.property(fc.integer({ min: -40_000, max: 80_000 }), (number) => {
      const date = Temporal.PlainDate.from("1970-01-01").add({ days: number });
      expect(calendarDay(number)).toEqual({
        year: date.year,
        month: date.month,
        day: date.day,
        weekday: date.dayOfWeek - 1,
        daysInMonth: date.daysInMonth,
      });
    }),
  );
});
