/** Hours of the week in which something is permitted: a backup window, or the permitted hours of a timer. */
import { weekdays } from "../policy/scalars.ts";
import type { Hours } from "../policy/schedule-rules.ts";
import { dayNumber, minuteMs, weekdayOf } from "./local-time.ts";

const minutesPerDay = 1440;
const minutesPerWeek = 7 * minutesPerDay;

/** What was worked out; the hours of a policy never change, a changed policy has new ones. */
const known = new WeakMap<readonly Hours[], OpenHours>();

/** Times are local, as local-time.ts counts them. */
export class OpenHours {
  /** One for each minute of the week from Monday 0:00: 1 if it is open. */
  readonly #minutes: Uint8Array;
  readonly #isConstant: boolean;

  private constructor(minutes: Uint8Array) {
    this.#minutes = minutes;
    this.#isConstant = minutes.every((minute) => minute === minutes[0]);
  }

  /** All of these hours together; always open if undefined. */
  static of(hours: readonly Hours[] | undefined): OpenHours {
    if (hours === undefined) return new OpenHours(new Uint8Array(minutesPerWeek).fill(1));
    const found = known.get(hours) ?? new OpenHours(openMinutes(hours));
    known.set(hours, found);
    return found;
  }

  /** Open where both are. */
  and(other: OpenHours): OpenHours {
    return new OpenHours(this.#minutes.map((minute, at) => minute & other.#minutes[at]));
  }

  isOpen(localMs: number): boolean {
    return this.#minutes[minuteOfWeek(localMs)] === 1;
  }

  /** The first local time after this one at which it opens or closes; undefined if it never does either. */
  changeAfter(localMs: number): number | undefined {
    return this.#change(localMs, 1);
  }

  /** The last local time, not after this one, at which it opened or closed; undefined if it never does either. */
  changeBefore(localMs: number): number | undefined {
    const after = this.#change(localMs, -1);
    return after === undefined ? undefined : after + minuteMs;
  }

  /** The first minute from this one on, in that direction, that is not as this one is. */
  #change(localMs: number, direction: 1 | -1): number | undefined {
    if (this.#isConstant) return undefined;
    const start = minuteOfWeek(localMs);
    const state = this.#minutes[start];
    for (let step = 1; step < minutesPerWeek; step++) {
      const minute = (start + direction * step + minutesPerWeek) % minutesPerWeek;
      if (this.#minutes[minute] !== state)
        return (Math.floor(localMs / minuteMs) + direction * step) * minuteMs;
    }
    return undefined;
  }
}

function openMinutes(hours: readonly Hours[]): Uint8Array {
  const minutes = new Uint8Array(minutesPerWeek);
  for (const { days, from, to } of hours)
    for (const day of days) {
      const start = weekdays.indexOf(day) * minutesPerDay + from;
      const length = to > from ? to - from : to + minutesPerDay - from;
      for (let at = start; at < start + length; at++) minutes[at % minutesPerWeek] = 1;
    }
  return minutes;
}

function minuteOfWeek(localMs: number): number {
  const day = dayNumber(localMs);
  const minuteOfDay = Math.floor(localMs / minuteMs) - day * minutesPerDay;
  return weekdayOf(day) * minutesPerDay + minuteOfDay;
}
