/** A directory on its way through the backup: its entries, what is known of each, and what is awaited. */
import type { ExtendedAttribute, SourceDirectory } from "../../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { CatalogBlock } from "../catalog/catalog-reader.ts";
import { deviceNumberOf, isSameDevice } from "./device-numbers.ts";

/** `absent`: excluded, unreadable or gone; it has no node. */
export const entryKind = { absent: 0, file: 1, directory: 2, other: 3 } as const;

/** The names of a directory in ascending order of their bytes. */
export interface EntryNames {
  readonly count: number;
  readonly names: Uint8Array;
  /** `count + 1` offsets. */
  readonly offsets: Uint32Array;
}

/** What only few entries have. */
export interface EntryExtras {
  linkTarget?: Uint8Array;
  attributes?: readonly ExtendedAttribute[];
}

/** Where a directory was found. */
export interface DirectoryPlace {
  readonly parent: DirectoryState | undefined;
  /** Number among the parent's entries. */
  readonly index: number;
  /** Stat record. */
  readonly record: Uint8Array;
}

export class DirectoryState {
  readonly parent: DirectoryState | undefined;
  /** Number of this directory among its parent's entries. */
  readonly index: number;
  readonly path: Uint8Array;
  readonly names: Uint8Array;
  readonly offsets: Uint32Array;
  readonly count: number;
  readonly records: Uint8Array;
  readonly kinds: Uint8Array;
  /** Bytes of content of each file. */
  readonly sizes: Float64Array;
  /** 1 where the entry has, or in the previous run had, extended attributes. */
  readonly hasAttributes: Uint8Array;
  readonly #idStarts: Uint32Array;
  readonly #idCounts: Uint32Array;
  #ids: Uint8Array;
  #idsUsed = 0;
  /** Catalog blocks of subdirectories. */
  readonly childBlocks: Float64Array;
  readonly extras = new Map<number, EntryExtras>();
  /** The previous run's block of this directory. */
  old: CatalogBlock | undefined;
  /** True once anything differs from `old`. */
  isChanged = false;
  /** Files being read, subdirectories not finished, and one while it is scanned itself. */
  pending = 1;
  directory: SourceDirectory | undefined;
  /** The directory's own stat record. */
  readonly record: Uint8Array;
  /** Number of the file system that the directory lies on. */
  readonly device: number;
  #unsure: Set<number> | undefined;

  constructor(
    place: DirectoryPlace,
    path: Uint8Array,
    entries: EntryNames,
    directory: SourceDirectory | undefined,
  ) {
    const { parent, index } = place;
    this.parent = parent;
    this.index = index;
    this.path = path;
    this.record = place.record;
    const isOfParent = parent !== undefined && isSameDevice(parent.record, 0, place.record, 0);
    this.device = isOfParent ? parent.device : deviceNumberOf(path);
    this.count = entries.count;
    this.names = entries.names;
    this.offsets = entries.offsets;
    this.directory = directory;
    this.records = new Uint8Array(entries.count * statRecordBytes);
    this.kinds = new Uint8Array(entries.count);
    this.sizes = new Float64Array(entries.count);
    this.hasAttributes = new Uint8Array(entries.count);
    this.childBlocks = new Float64Array(entries.count);
    this.#idStarts = new Uint32Array(entries.count);
    this.#idCounts = new Uint32Array(entries.count);
    this.#ids = new Uint8Array(Math.max(32, entries.count * 32));
  }

  nameOf(index: number): Uint8Array {
    return this.names.subarray(this.offsets[index], this.offsets[index + 1]);
  }

  /** Mode bits of an entry. */
  modeOf(index: number): number {
    const at = index * statRecordBytes + statAt.mode;
    return this.records[at] | (this.records[at + 1] << 8);
  }

  isDirectory(index: number): boolean {
    return (this.modeOf(index) & modeType.mask) === modeType.directory;
  }

  /** Sets the ids of an entry: `count` ids of `source` from `start`. */
  setIds(index: number, source: Uint8Array, start: number, count: number): void {
    const bytes = count * 32;
    if (this.#idsUsed + bytes > this.#ids.length) {
      const grown = new Uint8Array(Math.max(this.#ids.length * 2, this.#idsUsed + bytes));
      grown.set(this.#ids);
      this.#ids = grown;
    }
    const ids = this.#ids;
    for (let i = 0, at = this.#idsUsed; i < bytes; i += 1, at += 1) ids[at] = source[start + i];
    this.#idStarts[index] = this.#idsUsed;
    this.#idCounts[index] = count;
    this.#idsUsed += bytes;
  }

  /** What was stored of an entry may not be what stands there: the next run looks again. */
  distrust(index: number): void {
    this.#unsure ??= new Set();
    this.#unsure.add(index);
  }

  isDistrusted(index: number): boolean {
    return this.#unsure?.has(index) === true;
  }

  get ids(): Uint8Array {
    return this.#ids;
  }

  /** Offset of an entry's first id in `ids`. */
  idsStart(index: number): number {
    return this.#idStarts[index];
  }

  idsEnd(index: number): number {
    return this.#idStarts[index] + this.#idCounts[index] * 32;
  }

  extrasOf(index: number): EntryExtras {
    let extras = this.extras.get(index);
    if (extras === undefined) {
      extras = {};
      this.extras.set(index, extras);
    }
    return extras;
  }
}
