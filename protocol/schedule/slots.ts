/**
 * Slots: the moments at which the timers of a policy ask for a run. A moment that lies outside the backup window is
 * moved to where the window opens. Moments are ms since 1970.
 */
import type { ScheduleRules, Timer } from "../policy/schedule-rules.ts";
import { dailyTimes, intervalTimes, monthlyTimes } from "./calendar-times.ts";
import { parseCron } from "./cron-expression.ts";
import { cronTimes } from "./cron-times.ts";
import { hourMs, minuteMs } from "./local-time.ts";
import type { LocalTimes } from "./local-times.ts";
import { OpenHours } from "./open-hours.ts";
import { permittedTimes } from "./permitted-times.ts";
import { nextMoment, nextShown } from "./zone-offsets.ts";

export interface Slot {
  readonly atMs: number;
  readonly timer: Timer;
}

interface TimerTimes {
  readonly timer: Timer;
  readonly times: LocalTimes;
}

/** What was worked out for rules; the rules of a policy never change, a changed policy has new ones. */
const known = new WeakMap<ScheduleRules, readonly TimerTimes[]>();

/** The first slot after a moment; undefined if no timer ever asks again. Throws CronSyntaxError. */
export function nextSlot(rules: ScheduleRules, zone: string, afterMs: number): Slot | undefined {
  let first: Slot | undefined;
  for (const { timer, times } of timerTimes(rules)) {
    const atMs = nextMoment(times, zone, afterMs);
    if (atMs !== undefined && (first === undefined || atMs < first.atMs)) first = { atMs, timer };
  }
  return first;
}

/** The last slot after `afterMs` and not after `untilMs`; undefined if there is none. */
export function lastSlot(
  rules: ScheduleRules,
  zone: string,
  afterMs: number,
  untilMs: number,
): Slot | undefined {
  for (let lengthMs = minuteMs; ; lengthMs *= 4) {
    const startMs = Math.max(afterMs, untilMs - lengthMs);
    let last: Slot | undefined;
    for (let at = startMs; ; ) {
      const slot = nextSlot(rules, zone, at);
      if (slot === undefined || slot.atMs > untilMs) break;
      last = slot;
      at = slot.atMs;
    }
    if (last !== undefined || startMs <= afterMs) return last;
  }
}

/** The first moment from `fromMs` on at which a timer's runs are permitted; undefined if they never are. */
export function permittedFrom(
  timer: Timer,
  rules: ScheduleRules,
  zone: string,
  fromMs: number,
): number | undefined {
  const open = openHoursOf(timer, OpenHours.of(rules.window));
  return nextShown(
    (localMs) => (open.isOpen(localMs) ? localMs : open.changeAfter(localMs)),
    zone,
    fromMs - 1,
  );
}

function timerTimes(rules: ScheduleRules): readonly TimerTimes[] {
  let found = known.get(rules);
  if (found === undefined) {
    const window = OpenHours.of(rules.window);
    found = rules.timers.flatMap((timer) => {
      const times = timesOf(timer, window);
      return times === undefined ? [] : [{ timer, times }];
    });
    known.set(rules, found);
  }
  return found;
}

/** Undefined for timers that ask at no moment of their own. */
function timesOf(timer: Timer, window: OpenHours): LocalTimes | undefined {
  switch (timer.every) {
    case "day":
      return permittedTimes(dailyTimes(timer), window, 0);
    case "month":
      return permittedTimes(monthlyTimes(timer), window, 0);
    case "cron":
      return permittedTimes(cronTimes(parseCron(timer.expression)), window, 0);
    case "interval": {
      // Hours open on the hour, as the grid does: what moves one within the hour moves the other.
      const { interval, offset = 0 } = timer;
      const open = openHoursOf(timer, window);
      return permittedTimes(intervalTimes(timer), open, (offset % interval) % hourMs);
    }
    case "continuous":
    case "after-policy":
      return undefined;
  }
}

function openHoursOf(timer: Timer, window: OpenHours): OpenHours {
  return timer.every === "interval" ? window.and(OpenHours.of(timer.permitted)) : window;
}
