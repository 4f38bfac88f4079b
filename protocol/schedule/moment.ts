/** A moment by both clocks, so that what has passed since is known even if the wall clock was set. */

export interface Moment {
  /** Ms since 1970. */
  readonly wallMs: number;
  /** Ms of a clock that never goes back. */
  readonly monotonicMs: number;
  /** Names what `monotonicMs` counts from: the two of different names can't be compared. */
  readonly clockId: string;
}

/** Ms from one moment to a later one, by the clock that saw more: one stands still in sleep, the other may be set back. */
export function elapsedMs(from: Moment, to: Moment): number {
  const byMonotonic = from.clockId === to.clockId ? to.monotonicMs - from.monotonicMs : 0;
  return Math.max(to.wallMs - from.wallMs, byMonotonic, 0);
}

/** The moment that lay so many ms before. */
export function before(moment: Moment, ms: number): Moment {
  return { ...moment, wallMs: moment.wallMs - ms, monotonicMs: moment.monotonicMs - ms };
}

/** The same moment, as the wall clock would have shown it had it been set so many ms earlier or later before. */
export function shifted(moment: Moment, byMs: number): Moment {
  return { ...moment, wallMs: moment.wallMs + byMs };
}
