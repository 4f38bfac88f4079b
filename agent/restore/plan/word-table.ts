/** Rows of u32 words in shared memory, in chunks, so that growing copies nothing. */

const rowBits = 16;
const chunkRows = 1 << rowBits;
const rowMask = chunkRows - 1;

/** What another thread needs to use the same table, once no row is added any more. */
export interface SharedWords {
  readonly chunks: readonly SharedArrayBuffer[];
  readonly rows: number;
}

export class WordTable {
  readonly #width: number;
  readonly #chunks: Uint32Array[] = [];
  #rows = 0;

  constructor(wordsPerRow: number) {
    this.#width = wordsPerRow;
  }

  static attach(shared: SharedWords, wordsPerRow: number): WordTable {
    const table = new WordTable(wordsPerRow);
    for (const chunk of shared.chunks) table.#chunks.push(new Uint32Array(chunk));
    table.#rows = shared.rows;
    return table;
  }

  get shared(): SharedWords {
    return {
      chunks: this.#chunks.map((chunk) => chunk.buffer as SharedArrayBuffer),
      rows: this.#rows,
    };
  }

  get rows(): number {
    return this.#rows;
  }

  /** Shared memory taken. */
  get sizeBytes(): number {
    return this.#chunks.length * chunkRows * this.#width * 4;
  }

  /** Adds a row of zeros; returns its number. */
  add(): number {
    const row = this.#rows;
    if (row >>> rowBits === this.#chunks.length) {
      const bytes = chunkRows * this.#width * 4;
      this.#chunks.push(new Uint32Array(new SharedArrayBuffer(bytes)));
    }
    this.#rows += 1;
    return row;
  }

  get(row: number, word: number): number {
    return this.#chunks[row >>> rowBits][(row & rowMask) * this.#width + word];
  }

  set(row: number, word: number, value: number): void {
    this.#chunks[row >>> rowBits][(row & rowMask) * this.#width + word] = value;
  }

  /** A number up to 2^53 in two words, low one first; negative ones as in two's complement. */
  getWide(row: number, word: number): number {
    const chunk = this.#chunks[row >>> rowBits];
    const at = (row & rowMask) * this.#width + word;
    return (chunk[at + 1] | 0) * 0x100000000 + chunk[at];
  }

  setWide(row: number, word: number, value: number): void {
    const chunk = this.#chunks[row >>> rowBits];
    const at = (row & rowMask) * this.#width + word;
    chunk[at] = value >>> 0;
    chunk[at + 1] = Math.floor(value / 0x100000000);
  }
}
