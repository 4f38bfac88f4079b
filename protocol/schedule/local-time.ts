/**
 * Local time as one number, without any zone: ms since 1970-01-01 00:00 as a clock on the wall counts them. Days have
 * 24 hours each; what a zone does to that is zone-offsets.ts's business.
 */

export const minuteMs = 60_000;
export const hourMs = 3_600_000;
export const dayMs = 86_400_000;

export interface CalendarDay {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly day: number;
  /** 0 is Monday. */
  readonly weekday: number;
  readonly daysInMonth: number;
}

/** The number of the day that a local time is in, counted from 1970-01-01. */
export function dayNumber(localMs: number): number {
  return Math.floor(localMs / dayMs);
}

/** The number of a day of the calendar. Days beyond the month's end run on into the next month. */
export function dayNumberOf(year: number, month: number, day: number): number {
  return Date.UTC(year, month - 1, day) / dayMs;
}

/** Which day of the calendar a number stands for. */
export function calendarDay(number: number): CalendarDay {
  const date = new Date(number * dayMs);
  const year = date.getUTCFullYear();
  const month = date.getUTCMonth() + 1;
  return {
    year,
    month,
    day: date.getUTCDate(),
    weekday: weekdayOf(number),
    daysInMonth: daysInMonth(year, month),
  };
}

/** 0 is Monday. */
export function weekdayOf(number: number): number {
  return (((number + 3) % 7) + 7) % 7; // 1970-01-01 was a Thursday.
}

/** `month` is 1 to 12. */
export function daysInMonth(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
