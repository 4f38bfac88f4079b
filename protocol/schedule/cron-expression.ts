/**
 * Cron expressions as node-cron takes them: five fields, or six that begin with seconds; lists, ranges (also around
 * the end, such as `fri-mon`), steps of `*` and of ranges, names of months and days, `?`, nicknames such as `@daily`.
 * Days of the month may be `L`, `L-3`, `15W` and `LW`; days of the week `5L` (the last Friday) and `2#1` (the first
 * Tuesday). A day has to fit both of its fields.
 */
import { type CalendarDay, daysInMonth } from "./local-time.ts";

export interface CronExpression {
  /** 0 to 59, ascending; as are all that follow. */
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  /** 0 to 23. */
  readonly hours: readonly number[];
  /** 1 to 12. */
  readonly months: readonly number[];
  /** True if the day fits both fields of days; months are not looked at. */
  isDay(day: CalendarDay): boolean;
}

/** What is wrong with an expression, for people. */
export class CronSyntaxError extends Error {
  override readonly name = "CronSyntaxError";
}

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** In the order of their numbers, from `min` on. */
  readonly names?: readonly string[];
}

const nicknames: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const monthNames =
  "january february march april may june july august september october november december";
const dayNames = "sunday monday tuesday wednesday thursday friday saturday";

const secondField: Field = { name: "second", min: 0, max: 59 };
const minuteField: Field = { name: "minute", min: 0, max: 59 };
const hourField: Field = { name: "hour", min: 0, max: 23 };
const dayField: Field = { name: "day of the month", min: 1, max: 31 };
const monthField: Field = { name: "month", min: 1, max: 12, names: monthNames.split(" ") };
/** 0 is Sunday here; 7 too. */
const weekdayField: Field = { name: "day of the week", min: 0, max: 6, names: dayNames.split(" ") };

/** Reads an expression. Throws CronSyntaxError. */
export function parseCron(text: string): CronExpression {
  const written = nicknames[text.trim().toLowerCase()] ?? text;
  if (!/^[a-zA-Z0-9*/,#? -]+$/.test(written))
    throw new CronSyntaxError("has a character that means nothing in a cron expression");
  const fields = written.trim().split(/ +/);
  if (fields.length === 5) fields.unshift("0");
  if (fields.length !== 6)
    throw new CronSyntaxError(`has ${fields.length} fields, and must have 5 or 6`);
  const [second, minute, hour, day, month, weekday] = fields;
  const months = numbers(month, monthField);
  const days = daysOfMonth(day);
  const weekdays = daysOfWeek(weekday);
  if (days.every((each) => typeof each === "number" && !months.some(hasDay(each))))
    throw new CronSyntaxError(`names a day that its months don't have: "${day} ${month}"`);
  return {
    seconds: numbers(second, secondField),
    minutes: numbers(minute, minuteField),
    hours: numbers(hour, hourField),
    months,
    isDay: (date) =>
      days.some((each) => (typeof each === "number" ? each === date.day : each(date))) &&
      weekdays.some((each) => each(date)),
  };
}

type DayTest = (day: CalendarDay) => boolean;

/** Whether a month of a leap year has that day. */
function hasDay(day: number): (month: number) => boolean {
  return (month) => day <= daysInMonth(2000, month);
}

function daysOfMonth(text: string): (number | DayTest)[] {
  if (text === "?") return daysOfMonth("*");
  return text.split(",").flatMap((token): (number | DayTest)[] => {
    if (/^l$/i.test(token)) return [({ day, daysInMonth: last }) => day === last];
    if (/^lw$/i.test(token)) return [(date) => date.day === workdayNear(date.daysInMonth, date)];
    const [, beforeLast] = /^l-(\d{1,2})$/i.exec(token) ?? [];
    if (beforeLast !== undefined) {
      const distance = within(Number(beforeLast), 1, 30, dayField, text);
      return [({ day, daysInMonth: last }) => day === last - distance];
    }
    const [, near] = /^(\d{1,2})w$/i.exec(token) ?? [];
    if (near !== undefined) {
      const wanted = within(Number(near), 1, 31, dayField, text);
      return [(date) => wanted <= date.daysInMonth && date.day === workdayNear(wanted, date)];
    }
    return numbers(token, dayField);
  });
}

/** The day from Monday to Friday that is nearest to a day of the same month, without leaving the month. */
function workdayNear(wanted: number, date: CalendarDay): number {
  const weekday = (((date.weekday + wanted - date.day) % 7) + 7) % 7;
  if (weekday === 5) return wanted === 1 ? 3 : wanted - 1;
  if (weekday === 6) return wanted === date.daysInMonth ? wanted - 2 : wanted + 1;
  return wanted;
}

function daysOfWeek(text: string): DayTest[] {
  if (text === "?") return daysOfWeek("*");
  return text.split(",").flatMap((token): DayTest[] => {
    const [, day, last, ordinal] = /^([a-z]+|[0-7])(?:(l)|#([1-5]))$/i.exec(token) ?? [];
    const isLast = last !== undefined;
    if (isLast || ordinal !== undefined) {
      const wanted = number(day, weekdayField, text) % 7;
      return [
        (date) =>
          sundayFirst(date) === wanted &&
          (isLast ? date.day + 7 > date.daysInMonth : Math.ceil(date.day / 7) === Number(ordinal)),
      ];
    }
    const wanted = numbers(token, weekdayField);
    return [(date) => wanted.includes(sundayFirst(date))];
  });
}

function sundayFirst({ weekday }: CalendarDay): number {
  return (weekday + 1) % 7;
}

/** The numbers of a list of numbers, ranges and steps; ascending. */
function numbers(text: string, field: Field): number[] {
  const found = text.split(",").flatMap((token) => range(token, field, text));
  return [...new Set(found)].sort((one, other) => one - other);
}

/** The numbers of `*`, `*` with a step, a number, a range, or a range with a step. A range may go around the end. */
function range(token: string, field: Field, fieldText: string): number[] {
  const [, star, from, to, step = "1"] =
    /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/.exec(token) ?? [];
  const isSingle = star === undefined && to === undefined;
  if ((star ?? from) === undefined || Number(step) < 1 || (isSingle && token.includes("/")))
    throw wrong(field, fieldText);
  const first = star === undefined ? number(from, field, fieldText) : field.min;
  if (isSingle) return [first > field.max ? field.min : first];
  const last = star === undefined ? number(to, field, fieldText) : field.max;
  const size = field.max - field.min + 1;
  const length = first <= last ? last - first : last - first + size;
  const found: number[] = [];
  for (let at = first; at <= first + length; at += Number(step))
    found.push(at > field.max ? at - size : at);
  return found;
}

/** One number or name. A weekday may be 7. */
function number(text: string, field: Field, fieldText: string): number {
  const max = field === weekdayField ? 7 : field.max;
  if (/^\d+$/.test(text)) return within(Number(text), field.min, max, field, fieldText);
  const name = text.toLowerCase();
  const at = (field.names ?? []).findIndex((full) => name === full || name === full.slice(0, 3));
  if (at < 0) throw wrong(field, fieldText);
  return field.min + at;
}

function within(value: number, min: number, max: number, field: Field, text: string): number {
  if (value < min || value > max) throw wrong(field, text);
  return value;
}

function wrong(field: Field, text: string): CronSyntaxError {
  return new CronSyntaxError(`has a field for the ${field.name} that can't be read: "${text}"`);
}
