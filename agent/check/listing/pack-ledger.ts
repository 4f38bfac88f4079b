/**
 * What the index says about each pack, in columns: a repository may have millions of packs. The blobs of
 * a pack are not kept; the digest of the header that they amount to is, and says the same.
 */
import { idFromHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { PackListing } from "./pack-listing.ts";

const flag = { trees: 1, data: 2, twice: 4, split: 8, layout: 16 } as const;
const columnsMin = 1024;

export class PackLedger {
  readonly table: BlobTable;
  /** Names of the index files, in the order in which they were read. */
  readonly indexFiles: string[] = [];
  /** Index entries for blobs that another entry had already. */
  duplicateBlobs = 0;
  readonly #numbers = new Map<string, number>();
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
  }

  get count(): number {
    return this.#numbers.size;
  }

  /** The pack's number, -1 if no index lists it. */
  find(id: string): number {
    return this.#numbers.get(id) ?? -1;
  }

  idOf(pack: number): string {
    return this.table.packId(pack);
  }

  /** Adds a pack and its blobs as the index file `file` lists them. `digest` is the SHA-256 of the listing's header. */
  add(id: string, listing: PackListing, digest: Uint8Array, file: number): void {
    let pack = this.find(id);
    if (pack < 0) {
      pack = this.table.addPack(idFromHex(id));
      this.#numbers.set(id, pack);
      this.#reserve(pack + 1);
      this.#digests.set(digest, pack * 32);
      this.#listedBytes[pack] = listing.sizeBytes;
      this.#files[pack] = file;
    } else {
      const known = this.digestOf(pack);
      this.#flags[pack] |= Buffer.compare(known, digest) === 0 ? flag.twice : flag.split;
      this.#moreFiles.set(pack, [...(this.#moreFiles.get(pack) ?? []), file]);
    }
    this.#blobBytesMax[pack] = Math.max(this.#blobBytesMax[pack], listing.blobBytesMax);
    if (listing.hasTrees) this.#flags[pack] |= flag.trees;
    if (listing.hasData) this.#flags[pack] |= flag.data;
    if (listing.layoutProblem !== undefined) this.#flags[pack] |= flag.layout;
    this.#addBlobs(pack, listing);
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

  #addBlobs(pack: number, listing: PackListing): void {
    const isNew = (this.#flags[pack] & (flag.twice | flag.split)) === 0;
    for (const { id, isTree, offset, length, plainLength } of listing.blobs) {
      const isAdded = this.table.add(id, 0, isTree, { pack, offset, length, plainLength });
      if (!isAdded && isNew) this.duplicateBlobs += 1;
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
