/**
 * What the index says about each pack, in columns: a repository may have millions of packs. The blobs of
 * a pack are not kept; the digest of the header that they amount to is, and says the same.
 */
import { idFromHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { PackNumbers } from "../../repository/index/pack-numbers.ts";
import type { BlobColumns, ListingFacts } from "./pack-listing.ts";

const flag = { trees: 1, data: 2, twice: 4, split: 8, layout: 16 } as const;
const columnsMin = 1024;

export class PackLedger {
  readonly table: BlobTable;
  /** Names of the index files, in the order in which they were read. */
  readonly indexFiles: string[] = [];
  /** Index entries for blobs that another entry had already. */
  duplicateBlobs = 0;
  readonly #numbers: PackNumbers;
  /** Numbers of further index files that list a pack. */
  readonly #moreFiles = new Map<number, number[]>();
  #digests = new Uint8Array(columnsMin * 32);
  #listedBytes = new Float64Array(columnsMin);
  #storedBytes = new Float64Array(columnsMin).fill(-1);
  #blobBytesMax = new Uint32Array(columnsMin);
  #files = new Uint32Array(columnsMin);
  #flags = new Uint8Array(columnsMin);

  constructor(table: BlobTable) {
    this.table = table;
    this.#numbers = new PackNumbers(table);
  }

  get count(): number {
    return this.table.packCount;
  }

  /** The number of the pack with this hex id, -1 if no index lists it. */
  find(id: string): number {
    return this.#numbers.find(idFromHex(id));
  }

  /** The same for an id of 32 bytes. */
  findBytes(id: Uint8Array): number {
    return this.#numbers.find(id);
  }

  idOf(pack: number): string {
    return this.table.packId(pack);
  }

  /**
   * Adds a pack of at least one blob as the index file `file` lists it. `digest` is the SHA-256 of the header
   * that the listing amounts to.
   */
  add(
    id: Uint8Array,
    columns: BlobColumns,
    facts: ListingFacts,
    digest: Uint8Array,
    file: number,
  ): void {
    const before = this.count;
    const pack = this.#numbers.findOrAdd(id);
    if (pack === before) {
      this.#reserve(pack + 1);
      this.#digests.set(digest, pack * 32);
      this.#listedBytes[pack] = facts.sizeBytes;
      this.#files[pack] = file;
    } else {
      const isSame = Buffer.compare(this.digestOf(pack), digest) === 0;
      this.#flags[pack] |= isSame ? flag.twice : flag.split;
      this.#moreFiles.set(pack, [...(this.#moreFiles.get(pack) ?? []), file]);
    }
    this.#blobBytesMax[pack] = Math.max(this.#blobBytesMax[pack], facts.blobBytesMax);
    if (facts.hasTrees) this.#flags[pack] |= flag.trees;
    if (facts.hasData) this.#flags[pack] |= flag.data;
    if (facts.isOdd) this.#flags[pack] |= flag.layout;
    this.#addBlobs(pack, columns, pack === before);
  }

  noteStored(pack: number, sizeBytes: number): void {
    this.#storedBytes[pack] = sizeBytes;
  }

  /** SHA-256 of the plain header that the pack must have. */
  digestOf(pack: number): Uint8Array {
    return this.#digests.subarray(pack * 32, pack * 32 + 32);
  }

  /** Bytes that the pack must have. */
  listedBytesOf(pack: number): number {
    return this.#listedBytes[pack];
  }

  /** Bytes of the stored file, -1 if there is none. */
  storedBytesOf(pack: number): number {
    return this.#storedBytes[pack];
  }

  /** Bytes of the pack's largest blob, sealed or plain, whichever is more. */
  blobBytesMaxOf(pack: number): number {
    return this.#blobBytesMax[pack];
  }

  /** Numbers of the index files that list the pack. */
  filesOf(pack: number): number[] {
    return [...new Set([this.#files[pack], ...(this.#moreFiles.get(pack) ?? [])])];
  }

  hasTrees(pack: number): boolean {
    return (this.#flags[pack] & flag.trees) !== 0;
  }

  hasData(pack: number): boolean {
    return (this.#flags[pack] & flag.data) !== 0;
  }

  /** True if the pack is listed more than once with the same blobs. */
  isTwice(pack: number): boolean {
    return (this.#flags[pack] & flag.twice) !== 0;
  }

  /** True if the pack is listed more than once with different blobs. */
  isSplit(pack: number): boolean {
    return (this.#flags[pack] & flag.split) !== 0;
  }

  /** True if the listed blobs leave gaps or overlap. */
  isOddlyLaidOut(pack: number): boolean {
    return (this.#flags[pack] & flag.layout) !== 0;
  }

  #addBlobs(pack: number, columns: BlobColumns, isNewPack: boolean): void {
    const { count, ids, types, offsets, lengths, plainLengths } = columns;
    const { table } = this;
    for (let i = 0; i < count; i += 1) {
      const isTree = types[i] === 1;
      const isNew = table.addAt(ids, i * 32, isTree, pack, offsets[i], lengths[i], plainLengths[i]);
      if (!isNew && isNewPack) this.duplicateBlobs += 1;
    }
  }

  #reserve(count: number): void {
    const length = this.#flags.length;
    if (count <= length) return;
    const larger = length * 2;
    const grow = <T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#digests = grow(this.#digests, new Uint8Array(larger * 32));
    this.#listedBytes = grow(this.#listedBytes, new Float64Array(larger));
    this.#storedBytes = grow(this.#storedBytes, new Float64Array(larger).fill(-1));
    this.#blobBytesMax = grow(this.#blobBytesMax, new Uint32Array(larger));
    this.#files = grow(this.#files, new Uint32Array(larger));
    this.#flags = grow(this.#flags, new Uint8Array(larger));
  }
}
