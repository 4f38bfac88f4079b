/** What files and folders cost in new blobs and time, for those who asked to be told of each. */
import { counterAt } from "./session-memory.ts";

/** What one file or folder cost. */
export interface Cost {
  /** Bytes of new blobs. */
  addedBytes: number;
  /** The same as they are stored. */
  storedBytes: number;
  durationMs: number;
}

export const noCost: Readonly<Cost> = { addedBytes: 0, storedBytes: 0, durationMs: 0 };

/** Measures one thing after the other, by the counters of the thread that does them. */
export class CostMeter {
  readonly #counters: Float64Array;
  #added = 0;
  #stored = 0;
  #startMs = 0;

  constructor(counters: Float64Array) {
    this.#counters = counters;
  }

  start(): void {
    this.#added = this.#counters[counterAt.bytesAdded];
    this.#stored = this.#counters[counterAt.bytesPacked];
    this.#startMs = performance.now();
  }

  /** What was done since `start`. */
  stop(): Cost {
    return {
      addedBytes: this.#counters[counterAt.bytesAdded] - this.#added,
      storedBytes: this.#counters[counterAt.bytesPacked] - this.#stored,
      durationMs: performance.now() - this.#startMs,
    };
  }
}
