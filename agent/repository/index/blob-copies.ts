/**
 * Where blobs lie a second time. The blob table keeps one place for each; whoever finds that one damaged looks here. The
 * index files are read for it once, at the first damage, and only places that the table does not have are kept.
 */
import { isFileLoss } from "../file-loss.ts";
import { type BlobLocation, BlobTable } from "./blob-table.ts";
import { fetchIndexFile, type IndexSource } from "./index-loader.ts";
import { IndexScanner } from "./index-scanner.ts";
import { PackNumbers } from "./pack-numbers.ts";

/** Copies of a blob that are found, besides the first. More are not kept: an index may list one blob a million times. */
const copiesMax = 3;

/** Where a blob lies. */
export interface BlobPlace extends Omit<BlobLocation, "pack"> {
  /** Hex id of the pack. */
  readonly pack: string;
}

/** The place that a table has for a blob; undefined if it has none. */
export function placeIn(
  table: BlobTable,
  ids: Uint8Array,
  offset: number,
  isTree: boolean,
): BlobPlace | undefined {
  const entry = table.find(ids, offset, isTree);
  const pack = entry < 0 ? -1 : table.packOf(entry);
  if (pack < 0) return undefined;
  return {
    pack: table.packId(pack),
    offset: table.offsetOf(entry),
    length: table.storedLengthOf(entry),
    plainLength: table.isCompressed(entry) ? table.plainLengthOf(entry) : 0,
  };
}

export class BlobCopies {
  readonly #source: IndexSource;
  readonly #table: BlobTable;
  /** Second places, third places, and so on. */
  #further: readonly BlobTable[] | undefined;
  #reading: Promise<readonly BlobTable[]> | undefined;

  /** `table` holds the first places. */
  constructor(source: IndexSource, table: BlobTable) {
    this.#source = source;
    this.#table = table;
  }

  /**
   * The other places of a blob, by the index files that can be read. Rejects as the store does when it is out of
   * reach, or with the signal's reason.
   */
  async find(
    ids: Uint8Array,
    offset: number,
    isTree: boolean,
    signal: AbortSignal,
  ): Promise<BlobPlace[]> {
    const further = await this.#load(signal);
    const places: BlobPlace[] = [];
    for (const table of further) {
      const place = placeIn(table, ids, offset, isTree);
      if (place !== undefined) places.push(place);
    }
    return places;
  }

  async #load(signal: AbortSignal): Promise<readonly BlobTable[]> {
    while (this.#further === undefined) {
      const isMine = this.#reading === undefined;
      this.#reading ??= this.#read(signal);
      try {
        this.#further = await this.#reading;
      } catch (error) {
        // Another's failure or abort is not ours: then it is our turn.
        if (isMine) throw error;
      } finally {
        if (isMine) this.#reading = undefined;
      }
    }
    return this.#further;
  }

  async #read(signal: AbortSignal): Promise<readonly BlobTable[]> {
    const collector = new PlaceCollector(this.#table);
    for await (const { name } of this.#source.store.list("index", signal)) {
      try {
        const json = await fetchIndexFile(this.#source, name, signal);
        if (json !== undefined) collector.addFile(json, name);
      } catch (error) {
        // What it lists before its damage counts; that it is damaged, whoever loads the index says.
        if (!isFileLoss(error)) throw error;
      }
    }
    return collector.tables;
  }
}

/** Sorts places that the first table does not have into further tables, each blob at most once in each. */
class PlaceCollector {
  readonly tables: BlobTable[] = [];
  readonly #first: BlobTable;
  readonly #packs: PackNumbers[] = [];

  constructor(first: BlobTable) {
    this.#first = first;
  }

  addFile(json: Uint8Array, name: string): void {
    const scanner = new IndexScanner(json, `index/${name}`);
    while (scanner.nextPack())
      for (let i = 0; i < scanner.count; i += 1)
        if (!isPlace(this.#first, scanner, i)) this.#add(scanner, i);
  }

  #add(scanner: IndexScanner, i: number): void {
    const { ids, types, offsets, lengths, plainLengths, packId } = scanner;
    const isTree = types[i] === 1;
    for (let number = 0; number < copiesMax; number += 1) {
      if (number === this.tables.length) {
        const table = BlobTable.create(0);
        this.tables.push(table);
        this.#packs.push(new PackNumbers(table));
      }
      const table = this.tables[number];
      if (table.find(ids, i * 32, isTree) < 0) {
        const pack = this.#packs[number].findOrAdd(packId);
        table.addAt(ids, i * 32, isTree, pack, offsets[i], lengths[i], plainLengths[i]);
        return;
      }
      if (isPlace(table, scanner, i)) return;
    }
  }
}

/** True if the table has exactly this place for blob `i` of the scanned pack. */
function isPlace(table: BlobTable, scanner: IndexScanner, i: number): boolean {
  const entry = table.find(scanner.ids, i * 32, scanner.types[i] === 1);
  const pack = entry < 0 ? -1 : table.packOf(entry);
  if (pack < 0) return false;
  const plainLength = table.isCompressed(entry) ? table.plainLengthOf(entry) : 0;
  return (
    table.offsetOf(entry) === scanner.offsets[i] &&
    table.storedLengthOf(entry) === scanner.lengths[i] &&
    plainLength === scanner.plainLengths[i] &&
    table.packId(pack) === Buffer.from(scanner.packId).toString("hex")
  );
}
