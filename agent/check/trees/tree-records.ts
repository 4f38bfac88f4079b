/**
 * What a thread found out about trees, as numbers that travel without copies. For each tree: its entry in the blob
 * table, the bits of its faults, how many and which trees it refers to, and how many and which packs hold hurt blobs of its files.
 */
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { TreeReader } from "../../repository/tree/tree-decoder.ts";
import type { BlobBits } from "./blob-bits.ts";
import { malformedBit, NodeExaminer } from "./node-examiner.ts";
import { NumberList } from "./number-list.ts";

/** One tree of the records. */
export interface TreeRecord {
  readonly entry: number;
  readonly faultBits: number;
  /** Entries of the trees of its directories, ascending, each once. A view. */
  readonly subtrees: Uint32Array;
  /** Numbers of packs, ascending. A view. */
  readonly hurtPacks: Uint32Array;
}

/** Examines trees and keeps the records until they are taken. */
export class TreeRecorder {
  readonly #table: BlobTable;
  readonly #records = new NumberList();
  readonly #hurtPacks = new Set<number>();
  #examiner: NodeExaminer;

  constructor(table: BlobTable) {
    this.#table = table;
    this.#examiner = new NodeExaminer(table);
  }

  /** From now on blobs that can't be had are looked for. */
  lookForHurt(hurt: BlobBits): void {
    this.#examiner = new NodeExaminer(this.#table, hurt);
  }

  /**
   * Examines the tree whose id stands at `ids[offset]` and whose plain bytes, proved to be its own, are `bytes`; they may
   * be written over.
   */
  examine(ids: Uint8Array, offset: number, bytes: Uint8Array): void {
    const entry = this.#table.find(ids, offset, true);
    // The header of a damaged pack may name what no index does.
    if (entry < 0) return;
    const records = this.#records;
    const start = records.length;
    records.push(entry);
    records.push(0);
    records.push(0);
    this.#hurtPacks.clear();
    records.set(start + 1, this.#readNodes(bytes));
    records.sortFrom(start + 3);
    records.set(start + 2, records.length - start - 3);
    records.push(this.#hurtPacks.size);
    records.pushAll(Uint32Array.from(this.#hurtPacks).sort());
  }

  /** The records since the last call. */
  take(): Uint32Array<ArrayBuffer> {
    const taken = this.#records.toArray();
    this.#records.clear();
    return taken;
  }

  /** Appends the entries of subtrees; returns the bits of all faults. */
  #readNodes(bytes: Uint8Array): number {
    const examiner = this.#examiner;
    let bits = 0;
    examiner.beginTree();
    const reader = new TreeReader(bytes, {
      content: "in-place",
      onUnknownType: (name) => {
        bits |= examiner.lookAtUnknown(name);
      },
    });
    try {
      for (let node = reader.next(); node !== undefined; node = reader.next()) {
        bits |= examiner.look(node);
        if (examiner.subtree >= 0) this.#records.push(examiner.subtree);
        for (const pack of examiner.hurtPacks) this.#hurtPacks.add(pack);
      }
    } catch (error) {
      if (!isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
      bits |= malformedBit;
    }
    return bits;
  }
}

/** Takes records apart. */
export function* readRecords(records: Uint32Array): Generator<TreeRecord> {
  for (let at = 0; at < records.length; ) {
    const subtreesAt = at + 3;
    const packsAt = subtreesAt + records[at + 2] + 1;
    const end = packsAt + records[packsAt - 1];
    yield {
      entry: records[at],
      faultBits: records[at + 1],
      subtrees: records.subarray(subtreesAt, packsAt - 1),
      hurtPacks: records.subarray(packsAt, end),
    };
    at = end;
  }
}
