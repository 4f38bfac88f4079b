/** Local times, held within open hours: those outside fall away, and where the hours open one run makes up for them. */
import type { LocalTimes } from "./local-times.ts";
import type { OpenHours } from "./open-hours.ts";

/**
 * Those of `times` at which `open` is open, and for each closed stretch in which some fell away one more, `delayMs`
 * after its end, unless one of `times` is there already. A delay that would end in closed hours is left out.
 */
export function permittedTimes(times: LocalTimes, open: OpenHours, delayMs: number): LocalTimes {
  return {
    repeats: times.repeats,
    next(fromMs) {
      if (open.changeAfter(fromMs) === undefined)
        return open.isOpen(fromMs) ? times.next(fromMs) : undefined;
      for (let at = fromMs; ; ) {
        const stretch = openStretch(open, at);
        const found = firstWithin(times, stretch, Math.max(fromMs, stretch.startMs), delayMs);
        if (found !== undefined) return found;
        const next = times.next(stretch.endMs);
        if (next === undefined) return undefined;
        at = next;
      }
    },
  };
}

interface OpenStretch {
  /** When the closed hours before it began. */
  readonly closedMs: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** The open stretch that a time is in, or the next one. The hours are known to open and close. */
function openStretch(open: OpenHours, atMs: number): OpenStretch {
  const startMs = (open.isOpen(atMs) ? open.changeBefore(atMs) : open.changeAfter(atMs)) ?? atMs;
  return {
    closedMs: open.changeBefore(startMs - 1) ?? startMs,
    startMs,
    endMs: open.changeAfter(startMs) ?? startMs,
  };
}

function firstWithin(
  times: LocalTimes,
  { closedMs, startMs, endMs }: OpenStretch,
  fromMs: number,
  delayMs: number,
): number | undefined {
  const regular = times.next(fromMs);
  const fellAway = (times.next(closedMs) ?? startMs) < startMs;
  const openingMs = startMs + delayMs < endMs ? startMs + delayMs : startMs;
  const first = times.next(startMs) ?? endMs;
  if (fellAway && openingMs >= fromMs && openingMs < first) return openingMs;
  return regular !== undefined && regular < endMs ? regular : undefined;
}
