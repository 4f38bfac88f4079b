/** Durations and moments as people say them, in the zone of this machine. Pure. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** `less than a minute`, `1 minute`, `90 minutes`, `26 hours`, `3 days`. What is left over is cut. */
export function spokenDuration(durationMs: number): string {
  if (durationMs < minuteMs) return "less than a minute";
  if (durationMs < 2 * hourMs) return spoken(durationMs / minuteMs, "minute");
  if (durationMs < 2 * dayMs) return spoken(durationMs / hourMs, "hour");
  return spoken(durationMs / dayMs, "day");
}

/** `5 minutes ago`; `just now` for less than one, and for what a changed clock puts into the future. */
export function spokenAgo(atMs: number, nowMs: number): string {
  return nowMs - atMs < minuteMs ? "just now" : `${spokenDuration(nowMs - atMs)} ago`;
}

/** `today at 22:30`, `tomorrow at 03:00`, `on Friday at 22:30`, `on 2026-03-20 at 22:30`, `yesterday at 22:30`. */
export function spokenMoment(atMs: number, nowMs: number): string {
  const date = new Date(atMs);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
  const days = dayNumber(date) - dayNumber(new Date(nowMs));
  if (days === 0) return `today at ${time}`;
  if (days === 1) return `tomorrow at ${time}`;
  if (days === -1) return `yesterday at ${time}`;
  if (days > 1 && days < 7) return `on ${weekdays[date.getDay()]} at ${time}`;
  return `on ${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} at ${time}`;
}

/** Days of the calendar, whatever the clock does on some of them. */
function dayNumber(date: Date): number {
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / dayMs;
}

function spoken(count: number, unit: string): string {
  const whole = Math.floor(count);
  return `${whole} ${unit}${whole === 1 ? "" : "s"}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}
