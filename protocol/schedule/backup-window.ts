/** The backup window of a policy: whether it is open, and when that changes. Moments are ms since 1970. */
import type { Hours, ScheduleRules } from "../policy/schedule-rules.ts";
import type { Hold } from "../session-record.ts";
import { OpenHours } from "./open-hours.ts";
import { momentInWords } from "./schedule-words.ts";
import { localTime, nextShown } from "./zone-offsets.ts";

export interface WindowState {
  readonly isOpen: boolean;
  /** When it closes or opens next; absent if never. */
  readonly changesMs?: number;
}

/** The state at a moment; without `hours` it is always open. Throws RangeError if there is no such zone. */
export function windowState(
  hours: readonly Hours[] | undefined,
  zone: string,
  atMs: number,
): WindowState {
  if (hours === undefined) return { isOpen: true };
  const open = OpenHours.of(hours);
  const isOpen = open.isOpen(localTime(zone, atMs));
  const changesMs = nextShown(
    (fromMs) => (open.isOpen(fromMs) === isOpen ? open.changeAfter(fromMs) : fromMs),
    zone,
    atMs,
  );
  return { isOpen, ...(changesMs === undefined ? {} : { changesMs }) };
}

/** What keeps a run from starting while the backup window is closed, until when. `zone` is the machine's. */
export function windowHold(rules: ScheduleRules, zone: string, nowMs: number): Hold | undefined {
  const ownZone = rules.timeZone ?? zone;
  const { isOpen, changesMs } = windowState(rules.window, ownZone, nowMs);
  if (isOpen) return undefined;
  const until = changesMs === undefined ? "" : ` at ${momentInWords(changesMs, ownZone, nowMs)}`;
  return {
    code: "window",
    text: `until the backup window opens${until}`,
    ...(changesMs !== undefined && { untilMs: changesMs }),
  };
}
