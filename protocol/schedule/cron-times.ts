/** Local times of a cron expression. */
import type { CronExpression } from "./cron-expression.ts";
import { calendarDay, dayMs, dayNumber, dayNumberOf, hourMs, minuteMs } from "./local-time.ts";
import type { LocalTimes } from "./local-times.ts";

const secondMs = 1000;
const hoursPerDay = 24;
/** 29 February on a given weekday comes again after 40 years at most. */
const daysAheadMax = 366 * 41;

/** One with every hour goes on in an hour that the clock shows twice. */
export function cronTimes(cron: CronExpression): LocalTimes {
  return {
    repeats: cron.hours.length === hoursPerDay,
    next(fromMs) {
      // A day that has begun may have no time left, the next one that fits has.
      const today = dayNumber(fromMs);
      const fits = firstDay(cron, today) === today;
      const inDay = fits ? timeInDay(cron, fromMs - today * dayMs) : undefined;
      if (inDay !== undefined) return today * dayMs + inDay;
      const day = firstDay(cron, today + 1);
      const first = timeInDay(cron, 0) ?? 0;
      return day === undefined ? undefined : day * dayMs + first;
    },
  };
}

/** The first day that fits, from this one on. */
function firstDay(cron: CronExpression, from: number): number | undefined {
  for (let day = from; day < from + daysAheadMax; ) {
    const date = calendarDay(day);
    if (!cron.months.includes(date.month)) day = dayNumberOf(date.year, date.month + 1, 1);
    else if (cron.isDay(date)) return day;
    else day++;
  }
  return undefined;
}

/** The first time of day, not before that many ms after midnight. */
function timeInDay(
  { hours, minutes, seconds }: CronExpression,
  fromMs: number,
): number | undefined {
  for (const hour of hours) {
    if ((hour + 1) * hourMs <= fromMs) continue;
    for (const minute of minutes) {
      const startMs = hour * hourMs + minute * minuteMs;
      if (startMs + minuteMs <= fromMs) continue;
      const second = seconds.find((each) => startMs + each * secondMs >= fromMs);
      if (second !== undefined) return startMs + second * secondMs;
    }
  }
  return undefined;
}
