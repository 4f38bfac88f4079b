/** Until when something is to be paused, as people write it. Pure. */
import { parseInstant } from "./quantities.ts";

const minuteMs = 60_000;
const unitsMs: Readonly<Record<string, number>> = {
  m: minuteMs,
  h: 60 * minuteMs,
  d: 1440 * minuteMs,
  w: 7 * 1440 * minuteMs,
};

/**
 * Ms since 1970 of `["2h"]`, `["1d12h"]`, `["until", "22:00"]` (the next time that it is so late) or
 * `["until", "2026-03-01 12:00"]`, local time. Undefined if it is none of these, or not after `nowMs`.
 */
export function parsePauseEnd(words: readonly string[], nowMs: number): number | undefined {
  const [first, ...rest] = words;
  const endMs = first === "until" ? momentMs(rest.join(" "), nowMs) : durationEnd(words, nowMs);
  return endMs !== undefined && endMs > nowMs ? endMs : undefined;
}

function durationEnd(words: readonly string[], nowMs: number): number | undefined {
  const text = words.join("");
  if (!/^(?:\d{1,4}[mhdw])+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)([mhdw])/g))
    totalMs += Number(count) * unitsMs[unit];
  return nowMs + totalMs;
}

function momentMs(text: string, nowMs: number): number | undefined {
  const match = /^(\d{1,2}):(\d\d)$/.exec(text);
  if (match === null) return parseInstant(text);
  const [hour, minute] = match.slice(1).map(Number);
  if (hour > 23 || minute > 59) return undefined;
  const moment = new Date(nowMs);
  moment.setHours(hour, minute, 0, 0);
  if (moment.getTime() <= nowMs) {
    moment.setDate(moment.getDate() + 1);
    // A day on which the clock is changed may have moved it.
    moment.setHours(hour, minute, 0, 0);
  }
  return moment.getTime();
}
