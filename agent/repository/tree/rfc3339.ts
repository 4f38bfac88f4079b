/** Times of trees and snapshots: RFC 3339 with nanoseconds, as Go writes and reads them. */
import { writePadded, writeTwo } from "./decimal.ts";
import type { NodeTime } from "./node.ts";

/** `writeTime` writes at most this many bytes. */
export const timeBytes = 30;

/** The instant that Go means by a time that was never set: the first second of year 1. */
export const unsetTime: NodeTime = { seconds: -62135596800, nanoseconds: 0 };

const daySeconds = 86400;
/** Days of 400 years, after which the calendar repeats. */
const eraDays = 146097;
/** Days from 1 March of year 0 to 1 January 1970. */
const epochDays = 719468;
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Writes an instant as UTC, without quotes and with the zeros at the end of the fraction cut, at `at`
 * (room for 30 bytes must be there) and returns the place after it. `seconds` since 1970 may be any
 * integer; years outside 0 … 9999 become year 0 or 9999 with the same day and time, as restic does it.
 */
export function writeTime(
  target: DataView,
  at: number,
  seconds: number,
  nanoseconds: number,
): number {
  const days = Math.floor(seconds / daySeconds);
  const time = (seconds - days * daySeconds) | 0;
  let place = writeDate(target, at, days);
  target.setUint8(place, 0x54);
  const minutes = (time / 60) | 0;
  const hours = (minutes / 60) | 0;
  writeTwo(target, place + 1, hours);
  target.setUint8(place + 3, 0x3a);
  writeTwo(target, place + 4, minutes - hours * 60);
  target.setUint8(place + 6, 0x3a);
  writeTwo(target, place + 7, time - minutes * 60);
  place += 9;
  if (nanoseconds !== 0) {
    target.setUint8(place, 0x2e);
    place = writePadded(target, place + 1, nanoseconds, 9);
    while (target.getUint8(place - 1) === 0x30) place -= 1;
  }
  target.setUint8(place, 0x5a);
  return place + 1;
}

/** The text of an instant, as `writeTime` writes it. */
export function timeText(time: NodeTime): string {
  const bytes = new Uint8Array(timeBytes);
  const end = writeTime(new DataView(bytes.buffer), 0, time.seconds, time.nanoseconds);
  return String.fromCharCode(...bytes.subarray(0, end));
}

/** The calendar runs from March here, so that the leap day is the last of its year. */
function writeDate(target: DataView, at: number, days: number): number {
  const shifted = days + epochDays;
  const era = Math.floor(shifted / eraDays);
  const day = (shifted - era * eraDays) | 0;
  const yearOfEra =
    ((day - ((day / 1460) | 0) + ((day / 36524) | 0) - ((day / 146096) | 0)) / 365) | 0;
  const dayOfYear = day - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0));
  const marchMonth = ((5 * dayOfYear + 2) / 153) | 0;
  let dayOfMonth = dayOfYear - (((153 * marchMonth + 2) / 5) | 0) + 1;
  let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  let year = era * 400 + yearOfEra + (month <= 2 ? 1 : 0);
  if (year < 0) year = 0;
  if (year > 9999) {
    year = 9999;
    if (month === 2 && dayOfMonth === 29) {
      month = 3;
      dayOfMonth = 1;
    }
  }
  const century = (year / 100) | 0;
  writeTwo(target, at, century);
  writeTwo(target, at + 2, year - century * 100);
  target.setUint8(at + 4, 0x2d);
  writeTwo(target, at + 5, month);
  target.setUint8(at + 7, 0x2d);
  writeTwo(target, at + 8, dayOfMonth);
  return at + 10;
}

/**
 * The instant that `bytes[start … end)` writes, or undefined if it is no RFC 3339 time: date, `T`, time
 * and zone are needed, the day must exist, and digits of the fraction after the ninth are dropped.
 */
export function parseTime(bytes: Uint8Array, start = 0, end = bytes.length): NodeTime | undefined {
  if (end - start < 20) return undefined;
  const year = readTwo(bytes, start) * 100 + readTwo(bytes, start + 2);
  const month = readTwo(bytes, start + 5);
  const day = readTwo(bytes, start + 8);
  const hour = readTwo(bytes, start + 11);
  const minute = readTwo(bytes, start + 14);
  const second = readTwo(bytes, start + 17);
  const shaped =
    bytes[start + 4] === 0x2d &&
    bytes[start + 7] === 0x2d &&
    bytes[start + 10] === 0x54 &&
    bytes[start + 13] === 0x3a &&
    bytes[start + 16] === 0x3a;
  // A place that holds no digits makes its number NaN, and every comparison with it false.
  const sane = year >= 0 && dayExists(year, month, day) && hour < 24 && minute < 60 && second < 60;
  if (!shaped || !sane) return undefined;
  let at = start + 19;
  let nanoseconds = 0;
  if (bytes[at] === 0x2e) {
    const first = at + 1;
    at = first;
    for (let unit = 100_000_000; at < end && isDigit(bytes[at]); at += 1) {
      nanoseconds += (bytes[at] - 0x30) * unit;
      unit = (unit / 10) | 0;
    }
    if (at === first) return undefined;
  }
  const offset = readZone(bytes, at, end);
  if (offset === undefined) return undefined;
  const time = hour * 3600 + minute * 60 + second - offset;
  return { seconds: daysSinceEpoch(year, month, day) * daySeconds + time, nanoseconds };
}

/** Seconds east of Greenwich. */
function readZone(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (at + 1 === end && bytes[at] === 0x5a) return 0;
  if (at + 6 !== end || bytes[at + 3] !== 0x3a) return undefined;
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : Number.NaN;
  const hours = readTwo(bytes, at + 1);
  const minutes = readTwo(bytes, at + 4);
  const offset = sign * (hours * 3600 + minutes * 60);
  return hours < 24 && minutes < 60 && !Number.isNaN(offset) ? offset : undefined;
}

function dayExists(year: number, month: number, day: number): boolean {
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= monthDays[month - 1])) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month !== 2 || day < 29 || leap;
}

function daysSinceEpoch(year: number, month: number, day: number): number {
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const yearOfEra = marchYear - era * 400;
  const dayOfYear = (((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) | 0) + day - 1;
  const leapDays = (yearOfEra >> 2) - ((yearOfEra / 100) | 0);
  return era * eraDays + yearOfEra * 365 + leapDays + dayOfYear - epochDays;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function readTwo(bytes: Uint8Array, at: number): number {
  const ten = bytes[at] - 0x30;
  const one = bytes[at + 1] - 0x30;
  return ten >= 0 && ten <= 9 && one >= 0 && one <= 9 ? ten * 10 + one : Number.NaN;
}
