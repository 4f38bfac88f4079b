/** The blobs that an index lists for one pack, brought into the order of the pack and looked at for lies. */
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { idToHex } from "../../repository/id.ts";
import {
  compressedEntryBytes,
  headerFrameBytes,
  type PackedBlob,
  writeHeaderEntry,
} from "../../repository/pack/pack-header.ts";

/** Blobs of one pack as the scanner of index files gives them. */
export interface BlobColumns {
  readonly count: number;
  /** 32 bytes each. */
  readonly ids: Uint8Array;
  /** 1 for a tree, 0 for data. */
  readonly types: Uint8Array;
  readonly offsets: Uint32Array;
  readonly lengths: Uint32Array;
  /** 0 for blobs stored plain. */
  readonly plainLengths: Uint32Array;
}

/** What the listing of a pack amounts to. */
export interface ListingFacts {
  /** The plain header that a pack with exactly these blobs has. */
  readonly header: Uint8Array;
  /** Bytes of such a pack. */
  readonly sizeBytes: number;
  readonly hasTrees: boolean;
  readonly hasData: boolean;
  /** Bytes of the largest blob, sealed or plain, whichever is more. */
  readonly blobBytesMax: number;
  /** True if a blob does not begin where the one before ends. */
  readonly isOdd: boolean;
}

export interface PackListing {
  /** In physical order. */
  readonly blobs: readonly PackedBlob[];
  readonly header: Uint8Array;
}

/** Measures listings one after the other in the same memory. */
export class ListingMeasure {
  #header = new DataView(new ArrayBuffer(1024 * compressedEntryBytes));
  #headerLength = 0;
  #next = 0;
  #end = 0;
  #trees = 0;
  #blobBytesMax = 0;
  #isOdd = false;

  /** `header` of the facts is valid until the next call. There must be at least one blob. */
  measure(columns: BlobColumns): ListingFacts {
    const { count } = columns;
    if (this.#header.byteLength < count * compressedEntryBytes)
      this.#header = new DataView(new ArrayBuffer(count * 2 * compressedEntryBytes));
    this.#headerLength = 0;
    this.#next = 0;
    this.#end = 0;
    this.#trees = 0;
    this.#blobBytesMax = 0;
    this.#isOdd = false;
    const order = isAscending(columns) ? undefined : placesByOffset(columns);
    for (let i = 0; i < count; i += 1) this.#take(columns, order === undefined ? i : order[i]);
    return {
      header: new Uint8Array(this.#header.buffer, 0, this.#headerLength),
      sizeBytes: this.#end + this.#headerLength + headerFrameBytes,
      hasTrees: this.#trees > 0,
      hasData: this.#trees < count,
      blobBytesMax: this.#blobBytesMax,
      isOdd: this.#isOdd,
    };
  }

  #take({ ids, types, offsets, lengths, plainLengths }: BlobColumns, place: number): void {
    const offset = offsets[place];
    const length = lengths[place];
    const plainLength = plainLengths[place];
    const isTree = types[place] === 1;
    if (offset !== this.#next) this.#isOdd = true;
    this.#next = offset + length;
    if (this.#next > this.#end) this.#end = this.#next;
    if (isTree) this.#trees += 1;
    if (length > this.#blobBytesMax) this.#blobBytesMax = length;
    if (plainLength > this.#blobBytesMax) this.#blobBytesMax = plainLength;
    const at = this.#headerLength;
    this.#headerLength = writeHeaderEntry(
      this.#header,
      at,
      ids,
      place * 32,
      isTree,
      length,
      plainLength,
    );
  }
}

/** All blobs of several listings of one pack, each once. */
export function mergeListings(listings: readonly (readonly PackedBlob[])[]): PackListing {
  const merged = new Map<string, PackedBlob>();
  for (const listed of listings) for (const blob of listed) merged.set(keyOf(blob), blob);
  const blobs = [...merged.values()].sort((a, b) => a.offset - b.offset || a.length - b.length);
  const header = new DataView(new ArrayBuffer(blobs.length * compressedEntryBytes));
  let at = 0;
  for (const { id, isTree, length, plainLength } of blobs)
    at = writeHeaderEntry(header, at, id, 0, isTree, length, plainLength);
  return { blobs, header: new Uint8Array(header.buffer, 0, at) };
}

/** How the header of a pack differs from what the index lists, for people; empty if it does not. */
export function describeDifferences(
  inHeader: readonly PackedBlob[],
  inIndex: readonly PackedBlob[],
): string[] {
  const header = new Set(inHeader.map(keyOf));
  const index = new Set(inIndex.map(keyOf));
  const onlyHeader = inHeader.filter((blob) => !index.has(keyOf(blob)));
  const onlyIndex = inIndex.filter((blob) => !header.has(keyOf(blob)));
  const texts: string[] = [];
  const add = (blobs: readonly PackedBlob[], where: string): void => {
    const [first] = blobs;
    if (first === undefined) return;
    const others = blobs.length === 1 ? "" : ` and ${blobs.length - 1} more`;
    texts.push(`only ${where}: ${describeBlob(first)}${others}`);
  };
  add(onlyHeader, "the pack's own header names");
  add(onlyIndex, "the index names");
  // The same blobs in the same places: then one of both names a blob twice.
  if (texts.length === 0 && inHeader.length !== inIndex.length)
    texts.push("the pack's own header names a blob twice");
  return texts;
}

function describeBlob({ id, isTree, offset, length, plainLength }: PackedBlob): string {
  const plain = plainLength > 0 ? plainLength : length - sealOverheadBytes;
  const kind = isTree ? "tree" : "data";
  return `${kind} blob ${idToHex(id)} of ${plain} bytes in ${length} at ${offset}`;
}

function keyOf({ id, isTree, offset, length, plainLength }: PackedBlob): string {
  return `${idToHex(id)}${isTree ? "t" : "d"}${offset}.${length}.${plainLength}`;
}

function isAscending({ count, offsets }: BlobColumns): boolean {
  for (let i = 1; i < count; i += 1) if (offsets[i] < offsets[i - 1]) return false;
  return true;
}

function placesByOffset({ count, offsets, lengths }: BlobColumns): Uint32Array {
  const places = Uint32Array.from({ length: count }, (_, place) => place);
  return places.sort((a, b) => offsets[a] - offsets[b] || lengths[a] - lengths[b]);
}
