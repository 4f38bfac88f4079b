/** Time. Durations come from the monotonic clock; the wall clock is for showing and for comparing with stored times. */
export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  now(): number;
  /** Ms since some fixed moment; never goes back, whatever happens to the wall clock. */
  monotonic(): number;
  /** Resolves `delayMs` later (at once if not positive); rejects with the signal's reason when aborted. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
}
