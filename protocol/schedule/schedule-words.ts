/** Schedules and moments in words, for status, logs and the cause of a session. */
import { type Weekday, weekdays } from "../policy/scalars.ts";
import type { EventKind, ScheduleRules, Timer } from "../policy/schedule-rules.ts";
import { minuteMs } from "./local-time.ts";

const monthNames = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const eventWords: Readonly<Record<EventKind, string>> = {
  lock: "when a screen is locked",
  unlock: "when a screen is unlocked",
  "log-off": "when a user logs off",
  "log-on": "when a user logs on",
  "target-connected": "when the target is connected",
  "power-on": "when the machine was started",
  resume: "when the machine wakes up",
  "network-change": "when the network changes",
};

/** When a policy runs, in a few words: `every day at 22:30; when a screen is locked`. */
export function scheduleInWords({ timers, events }: ScheduleRules): string {
  const parts = [...timers.map(timerInWords), ...events.map(eventInWords)];
  return parts.length === 0 ? "only by hand" : parts.join("; ");
}

/** `every day at 22:30` */
export function timerInWords(timer: Timer): string {
  switch (timer.every) {
    case "day":
      return `${daysInWords(timer.days)} at ${timeInWords(timer.at)}`;
    case "month":
      return `on the ${dayInWords(timer.day)} of ${monthsInWords(timer.months)} at ${timeInWords(timer.at)}`;
    case "interval": {
      const permitted = timer.permitted === undefined ? "" : " in permitted hours";
      return `every ${durationInWords(timer.interval)}${permitted}`;
    }
    case "cron":
      return `by cron "${timer.expression}"`;
    case "continuous":
      return "continuously";
    case "after-policy":
      return `after policy ${timer.policy}`;
  }
}

/** `when a screen is locked` */
export function eventInWords(kind: EventKind): string {
  return eventWords[kind];
}

/** `22:30` on the day of `nowMs`, else `2026-03-01 22:30`. Throws RangeError if there is no such zone. */
export function momentInWords(atMs: number, zone: string, nowMs: number): string {
  const at = plainTime(atMs, zone);
  const time = timeInWords(at.hour * 60 + at.minute);
  const isToday = at.toPlainDate().equals(plainTime(nowMs, zone).toPlainDate());
  return isToday ? time : `${at.toPlainDate().toString()} ${time}`;
}

/** `90 min` as `1 h 30 min`; below a minute in seconds. */
export function durationInWords(ms: number): string {
  if (ms < minuteMs) return `${Math.ceil(ms / 1000)} s`;
  const minutes = Math.ceil(ms / minuteMs);
  const days = Math.floor(minutes / (24 * 60));
  const hours = Math.floor(minutes / 60) % 24;
  const parts = [`${days} d`, `${hours} h`, `${minutes % 60} min`];
  return parts.filter((part) => !part.startsWith("0 ")).join(" ");
}

function plainTime(atMs: number, zone: string): Temporal.PlainDateTime {
  const moment = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs));
  return moment.toZonedDateTimeISO(zone).toPlainDateTime();
}

function timeInWords(minutes: number): string {
  const parts = [Math.floor(minutes / 60), minutes % 60];
  return parts.map((part) => String(part).padStart(2, "0")).join(":");
}

function daysInWords(days: readonly Weekday[]): string {
  const chosen = days.join();
  if (chosen === weekdays.join()) return "every day";
  if (chosen === weekdays.slice(0, 5).join()) return "on weekdays";
  if (chosen === weekdays.slice(5).join()) return "at weekends";
  return `on ${listInWords(days.map((day) => `${capital(day)}s`))}`;
}

function dayInWords(day: Extract<Timer, { every: "month" }>["day"]): string {
  if (day === "last") return "last day";
  if (typeof day === "object") return `${day.ordinal} ${capital(day.weekday)}`;
  const ending = day > 3 && day < 21 ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th");
  return `${day}${ending}`;
}

function monthsInWords(months: readonly number[] | undefined): string {
  return months === undefined
    ? "every month"
    : listInWords(months.map((month) => monthNames[month - 1]));
}

function listInWords(items: readonly string[]): string {
  const last = items.at(-1) ?? "";
  return items.length < 2 ? last : `${items.slice(0, -1).join(", ")} and ${last}`;
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
