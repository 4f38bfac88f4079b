/** Small marks on blobs, one byte for each that the index knows. */
import { idToHex } from "../repository/id.ts";
import type { BlobTable } from "../repository/index/blob-table.ts";

/** A blob with a mark. */
export interface MarkedBlob {
  /** All marks that were set, or-ed together. */
  readonly marked: number;
  readonly isTree: boolean;
  /** Bytes of the blob itself; 0 if no index knows it. */
  readonly plainBytes: number;
  /** Its entry in the table, or -1. */
  readonly entry: number;
}

export class BlobMarks {
  readonly #table: BlobTable;
  readonly #marks: Uint8Array;
  /** Marks of blobs that no index knows, by kind and hex id. */
  readonly #unknown = new Map<string, number>();

  constructor(table: BlobTable) {
    this.#table = table;
    let size = 0;
    for (const entry of table.entries()) size = Math.max(size, entry + 1);
    this.#marks = new Uint8Array(size);
  }

  /** How many marked blobs no index knows. */
  get unknownCount(): number {
    return this.#unknown.size;
  }

  /** Sets `mark` (1 … 255) on the blob whose id stands at `ids[offset]`; true if it was not set before. */
  mark(ids: Uint8Array, offset: number, isTree: boolean, mark: number): boolean {
    const entry = this.#table.find(ids, offset, isTree);
    if (entry < 0) {
      const key = `${isTree ? "tree" : "data"} ${idToHex(ids, offset)}`;
      const before = this.#unknown.get(key) ?? 0;
      this.#unknown.set(key, before | mark);
      return (before & mark) === 0;
    }
    const before = this.#marks[entry];
    this.#marks[entry] = before | mark;
    return (before & mark) === 0;
  }

  /** Every marked blob, in no useful order. */
  *all(): Generator<MarkedBlob> {
    const table = this.#table;
    for (const [entry, marked] of this.#marks.entries())
      if (marked !== 0)
        yield {
          marked,
          isTree: table.isTree(entry),
          plainBytes: table.plainLengthOf(entry),
          entry,
        };
    for (const [key, marked] of this.#unknown)
      yield { marked, isTree: key.startsWith("tree"), plainBytes: 0, entry: -1 };
  }
}
