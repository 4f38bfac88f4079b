/** A large file whose ranges are read by several workers. */
import type { ExtendedAttribute } from "../../../platform/ports/source-files.ts";
import type { Cost } from "../work/cost-meter.ts";

export class LargeFile {
  readonly #ids: (Uint8Array | undefined)[];
  #missing: number;
  size = 0;
  attributes: readonly ExtendedAttribute[] | undefined;
  /** What went wrong first, if anything. */
  issue: { code: string; message: string } | undefined;
  isUnreadable = false;
  /** True if one more change may not show in the file's times. */
  isFresh = false;
  /** Of all ranges; the durations, too, are summed up. */
  readonly cost: Cost = { addedBytes: 0, storedBytes: 0, durationMs: 0 };

  constructor(ranges: number) {
    this.#ids = new Array<Uint8Array | undefined>(ranges).fill(undefined);
    this.#missing = ranges;
  }

  /** True once every range has come back. */
  get isComplete(): boolean {
    return this.#missing === 0;
  }

  /** Takes the ids and the number of bytes of range `number`. */
  add(number: number, ids: Uint8Array, size: number): void {
    this.#ids[number] = ids;
    this.#missing -= 1;
    this.size += size;
  }

  addCost({ addedBytes, storedBytes, durationMs }: Cost): void {
    this.cost.addedBytes += addedBytes;
    this.cost.storedBytes += storedBytes;
    this.cost.durationMs += durationMs;
  }

  /** Ids of all ranges in order. */
  get ids(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#ids.map((ids) => ids ?? new Uint8Array(0))));
  }
}
