/** Local times of the timers that go by the calendar: each day, each month, every so often. */
import { weekdays } from "../policy/scalars.ts";
import type { Timer } from "../policy/schedule-rules.ts";
import {
  calendarDay,
  dayMs,
  dayNumber,
  dayNumberOf,
  daysInMonth,
  hourMs,
  minuteMs,
  weekdayOf,
} from "./local-time.ts";
import type { LocalTimes } from "./local-times.ts";

export type DailyTimer = Extract<Timer, { every: "day" }>;
export type MonthlyTimer = Extract<Timer, { every: "month" }>;
export type IntervalTimer = Extract<Timer, { every: "interval" }>;

const ordinals = ["first", "second", "third", "fourth"];
/** A leap day is at most 8 years away. */
const monthsAheadMax = 12 * 9;
/** Monday 1970-01-05, from which intervals longer than a day are counted. */
const firstMonday = 4;

export function dailyTimes({ at, days }: DailyTimer): LocalTimes {
  const chosen = new Set(days.map((day) => weekdays.indexOf(day)));
  return {
    repeats: false,
    next(fromMs) {
      const first = dayNumber(fromMs - at * minuteMs + dayMs - 1);
      for (let day = first; day < first + 7; day++)
        if (chosen.has(weekdayOf(day))) return day * dayMs + at * minuteMs;
      return undefined;
    },
  };
}

/** A day that a month does not have falls away in it. */
export function monthlyTimes(timer: MonthlyTimer): LocalTimes {
  return {
    repeats: false,
    next(fromMs) {
      const from = calendarDay(dayNumber(fromMs));
      for (let ahead = 0; ahead < monthsAheadMax; ahead++) {
        const year = from.year + Math.floor((from.month - 1 + ahead) / 12);
        const month = ((from.month - 1 + ahead) % 12) + 1;
        if (timer.months !== undefined && !timer.months.includes(month)) continue;
        const day = dayOfMonth(timer.day, year, month);
        const localMs = dayNumberOf(year, month, day) * dayMs + timer.at * minuteMs;
        if (day <= daysInMonth(year, month) && localMs >= fromMs) return localMs;
      }
      return undefined;
    },
  };
}

function dayOfMonth(day: MonthlyTimer["day"], year: number, month: number): number {
  if (typeof day === "number") return day;
  const last = daysInMonth(year, month);
  if (day === "last") return last;
  const wanted = weekdays.indexOf(day.weekday);
  if (day.ordinal === "last") {
    const weekdayOfLast = weekdayOf(dayNumberOf(year, month, last));
    return last - ((weekdayOfLast - wanted + 7) % 7);
  }
  const weekdayOfFirst = weekdayOf(dayNumberOf(year, month, 1));
  return 1 + ((wanted - weekdayOfFirst + 7) % 7) + ordinals.indexOf(day.ordinal) * 7;
}

/** A grid that begins anew at each midnight; one of steps longer than a day runs on without. */
export function intervalTimes({ interval, offset = 0 }: IntervalTimer): LocalTimes {
  return {
    repeats: interval <= hourMs,
    next(fromMs) {
      const day = interval > dayMs ? firstMonday : dayNumber(fromMs);
      const startMs = day * dayMs + offset;
      const steps = Math.ceil((fromMs - startMs) / interval);
      if (interval > dayMs) return startMs + steps * interval;
      const localMs = startMs + Math.max(0, steps) * interval;
      return localMs < (day + 1) * dayMs ? localMs : startMs + dayMs;
    },
  };
}
