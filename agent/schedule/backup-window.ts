/** The backup window of a policy: whether it is open, and when that changes. Moments are ms since 1970. */
import type { Hours } from "../../protocol/policy/schedule-rules.ts";
import { OpenHours } from "./open-hours.ts";
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
