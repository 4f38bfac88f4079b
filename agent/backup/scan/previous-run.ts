/** What earlier runs know of a file: the catalog of the last complete one, the journal of one that was cut off. */
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { CatalogBlock } from "../catalog/catalog-reader.ts";
import type { FileJournalReader } from "../journal/file-journal.ts";
import { type JournalEntry, journalFlags } from "../journal/file-journal-format.ts";
import { JournalDirectory } from "../journal/journal-directory.ts";
import { isSameContent } from "../work/same-record.ts";
import type { DirectoryState } from "./directory-state.ts";

/**
 * Moves `block` to the entry named as entry `index` of `state`; true if there is one. Entries passed on
 * the way are gone from the source: they mark the directory as changed.
 */
export function seekEntry(block: CatalogBlock, state: DirectoryState, index: number): boolean {
  while (block.hasEntry) {
    const order = compareNames(block, state, index);
    if (order === 0) return true;
    if (order > 0) return false;
    state.isChanged = true;
    block.next();
  }
  return false;
}

function compareNames(block: CatalogBlock, state: DirectoryState, index: number): number {
  const a = block.bytes;
  const b = state.names;
  let at = block.nameStart;
  let bt = state.offsets[index];
  const aEnd = block.nameEnd;
  const bEnd = state.offsets[index + 1];
  for (; at < aEnd && bt < bEnd; at += 1, bt += 1) if (a[at] !== b[bt]) return a[at] - b[bt];
  return aEnd - at - (bEnd - bt);
}

/** True if the repository holds all `count` data blobs from `ids[start]`. */
export function hasBlobs(table: BlobTable, ids: Uint8Array, start: number, count: number): boolean {
  for (let i = 0; i < count; i += 1) if (table.find(ids, start + i * 32, false) < 0) return false;
  return true;
}

/** Finds what an interrupted run had already read. */
export class InterruptedRun {
  readonly #journal: FileJournalReader;
  readonly #table: BlobTable;
  #path: Uint8Array | undefined;
  #entries = new JournalDirectory([], () => undefined);

  constructor(journal: FileJournalReader, table: BlobTable) {
    this.#journal = journal;
    this.#table = table;
  }

  /** The whole content of a file, or undefined. */
  wholeFile(state: DirectoryState, index: number): JournalEntry | undefined {
    for (const entry of this.#entriesOf(state, index))
      if ((entry.flags & journalFlags.range) === 0 && this.#isUsable(entry, state, index))
        return entry;
    return undefined;
  }

  /** Ranges of a large file by where they begin. */
  ranges(state: DirectoryState, index: number): ReadonlyMap<number, JournalEntry> {
    const ranges = new Map<number, JournalEntry>();
    for (const entry of this.#entriesOf(state, index)) {
      const isNew = (entry.flags & journalFlags.range) !== 0 && !ranges.has(entry.start);
      if (isNew && this.#isUsable(entry, state, index)) ranges.set(entry.start, entry);
    }
    return ranges;
  }

  #entriesOf(state: DirectoryState, index: number): Iterable<JournalEntry> {
    if (this.#path !== state.path) {
      this.#path = state.path;
      this.#entries = this.#journal.directory(state.path);
    }
    return this.#entries.entriesOf(state.nameOf(index));
  }

  #isUsable(entry: JournalEntry, state: DirectoryState, index: number): boolean {
    return (
      isSameContent(entry.record, entry.recordOffset, state.records, index * statRecordBytes) &&
      hasBlobs(this.#table, entry.ids, entry.idsStart, entry.idCount)
    );
  }
}
