/** Tells from three clocks that the machine slept, and that somebody set the wall clock. */

export interface ClockReading {
  readonly wallMs: number;
  /** Stands still while the machine sleeps. */
  readonly awakeMs: number;
  /** Goes on while the machine sleeps. */
  readonly bootMs: number;
}

/** Two clocks can't be read at one moment: shorter jumps may be a pause of this process in between. */
const jumpMsMin = 2_000;

/** The first reading is what the next is compared with, and so on. */
export class ClockJumps {
  #last: ClockReading;

  constructor(first: ClockReading) {
    this.#last = first;
  }

  /** What happened since the last reading, seconds of sleep and of a set clock left out if they are few. */
  next(reading: ClockReading): { readonly slept: boolean; readonly wasSet: boolean } {
    const { wallMs, awakeMs, bootMs } = this.#last;
    this.#last = reading;
    const passedMs = reading.bootMs - bootMs;
    return {
      slept: passedMs - (reading.awakeMs - awakeMs) >= jumpMsMin,
      wasSet: Math.abs(reading.wallMs - wallMs - passedMs) >= jumpMsMin,
    };
  }
}
