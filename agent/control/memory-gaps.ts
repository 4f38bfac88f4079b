/**
 * What the server says of its own memory: a server whose database was set back to a backup of it has forgotten what it
 * confirmed since then. Pure.
 */

/** A time of which the server may have forgotten what it had confirmed. */
export interface MemoryGap {
  /** When it noticed, ms since 1970 by its clock: later for each. */
  readonly notedMs: number;
  /** Its memory is whole until then, by its clock. */
  readonly reachesMs: number;
}

/** This machine may know the server's time no better. */
const doubtMs = 120_000;

/** Reads the header `backstay-memory`; what is none of it is left out. */
export function parseMemoryGaps(header: string | undefined): readonly MemoryGap[] {
  return (header ?? "").split(",").flatMap((text) => {
    const [, noted, reaches] = /^\s*(\d{1,15})-(\d{1,15})\s*$/.exec(text) ?? [];
    if (noted === undefined || reaches === undefined) return [];
    return [{ notedMs: Number(noted), reachesMs: Number(reaches) }];
  });
}

/** The gaps that were noticed after `heededMs` in one; undefined if there are none. */
export function unheededGap(gaps: readonly MemoryGap[], heededMs: number): MemoryGap | undefined {
  const fresh = gaps.filter(({ notedMs }) => notedMs > heededMs);
  if (fresh.length === 0) return undefined;
  return {
    notedMs: Math.max(...fresh.map(({ notedMs }) => notedMs)),
    reachesMs: Math.min(...fresh.map(({ reachesMs }) => reachesMs)) - doubtMs,
  };
}
