/** Directories whose trees are still to be read, first come first served, in little memory. */
import type { SelectionScope } from "./selection.ts";

const blockEntries = 4096;
const idBytes = 32;

interface Block {
  readonly rows: Uint32Array;
  readonly ids: Uint8Array;
  /** Only if patterns are in force. */
  readonly scopes: SelectionScope[];
}

/** One directory of the queue. */
export interface QueuedTree {
  readonly row: number;
  /** 32 bytes; a view that is valid while the entry is in the queue. */
  readonly id: Uint8Array;
  readonly scope: SelectionScope;
}

export class TreeQueue {
  readonly #blocks: Block[] = [];
  #from = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(row: number, id: Uint8Array, scope: SelectionScope): void {
    const at = this.#from + this.#length;
    const number = Math.floor(at / blockEntries);
    if (number === this.#blocks.length) {
      this.#blocks.push({
        rows: new Uint32Array(blockEntries),
        ids: new Uint8Array(blockEntries * idBytes),
        scopes: [],
      });
    }
    const block = this.#blocks[number];
    const slot = at % blockEntries;
    block.rows[slot] = row;
    block.ids.set(id, slot * idBytes);
    if (scope !== undefined) block.scopes[slot] = scope;
    this.#length += 1;
  }

  /** The entry at `index` from the front. */
  at(index: number): QueuedTree {
    const at = this.#from + index;
    const block = this.#blocks[Math.floor(at / blockEntries)];
    const slot = at % blockEntries;
    const id = block.ids.subarray(slot * idBytes, (slot + 1) * idBytes);
    return { row: block.rows[slot], id, scope: block.scopes[slot] };
  }

  /** Removes the entry at the front. */
  shift(): void {
    this.#from += 1;
    this.#length -= 1;
    if (this.#from === blockEntries) {
      this.#blocks.shift();
      this.#from = 0;
    }
  }
}
