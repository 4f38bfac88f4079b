/** What a time zone does to local time: which moment a local time is. Zones are IANA names. */
import type { LocalTimes } from "./local-times.ts";

/** A time between two changes of a zone's distance from UTC. */
interface OffsetStretch {
  /** First moment, ms since 1970; -Infinity before the zone's first change. */
  readonly fromMs: number;
  /** First moment after it; Infinity after the zone's last change. */
  readonly toMs: number;
  /** Local time minus UTC. */
  readonly offsetMs: number;
  /** The same before `fromMs`. */
  readonly previousOffsetMs: number;
}

const nanosecondsPerMs = 1e6;

/** What the clock on the wall shows at a moment, as local-time.ts counts. Throws RangeError if there is no such zone. */
export function localTime(zone: string, atMs: number): number {
  return atMs + zoned(zone, atMs).offsetNanoseconds / nanosecondsPerMs;
}

/**
 * The first moment after `afterMs` at which one of `times` has come. A time that the clock jumps over has come right
 * after the jump; one that the clock shows twice has come the first time only, unless `times` repeat.
 */
export function nextMoment(times: LocalTimes, zone: string, afterMs: number): number | undefined {
  for (let at = afterMs; ; ) {
    const { fromMs, toMs, offsetMs, previousOffsetMs } = stretchAt(zone, at);
    if (fromMs > afterMs && offsetMs > previousOffsetMs) {
      const skipped = times.next(fromMs + previousOffsetMs);
      if (skipped !== undefined && skipped < fromMs + offsetMs) return fromMs;
    }
    const shownBefore = times.repeats ? offsetMs : Math.max(offsetMs, previousOffsetMs);
    const local = times.next(Math.max(afterMs + 1 + offsetMs, fromMs + shownBefore));
    if (local === undefined) return undefined;
    if (local - offsetMs < toMs) return local - offsetMs;
    at = toMs;
  }
}

/** The first moment after `afterMs` at which the clock shows a time that `next` gives: what it jumps over never comes. */
export function nextShown(
  next: LocalTimes["next"],
  zone: string,
  afterMs: number,
): number | undefined {
  for (let at = afterMs; ; ) {
    const { fromMs, toMs, offsetMs } = stretchAt(zone, at);
    const local = next(Math.max(afterMs + 1, fromMs) + offsetMs);
    if (local === undefined) return undefined;
    if (local - offsetMs < toMs) return local - offsetMs;
    at = toMs;
  }
}

function stretchAt(zone: string, atMs: number): OffsetStretch {
  const moment = zoned(zone, atMs);
  const offsetMs = moment.offsetNanoseconds / nanosecondsPerMs;
  // "previous" leaves out a change at the very moment that it is asked for.
  const start = zoned(zone, atMs + 1).getTimeZoneTransition("previous");
  const end = moment.getTimeZoneTransition("next");
  return {
    fromMs: start?.epochMilliseconds ?? Number.NEGATIVE_INFINITY,
    toMs: end?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
    offsetMs,
    previousOffsetMs:
      start === null
        ? offsetMs
        : start.subtract({ nanoseconds: 1 }).offsetNanoseconds / nanosecondsPerMs,
  };
}

function zoned(zone: string, atMs: number): Temporal.ZonedDateTime {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs)).toZonedDateTimeISO(zone);
}
