/** The blobs that an index lists for one pack, brought into the order of the pack and looked at for lies. */

import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { idToHex } from "../../repository/id.ts";
import {
  compressedEntryBytes,
  headerFrameBytes,
  type PackedBlob,
  writeHeaderEntry,
} from "../../repository/pack/pack-header.ts";

export interface PackListing {
  /** In physical order. */
  readonly blobs: readonly PackedBlob[];
  /** The plain header that a pack with exactly these blobs has. */
  readonly header: Uint8Array;
  /** Bytes of such a pack. */
  readonly sizeBytes: number;
  readonly hasTrees: boolean;
  readonly hasData: boolean;
  /** Bytes of the largest blob, sealed or plain, whichever is more. */
  readonly blobBytesMax: number;
  /** Where the blobs leave a gap or overlap; undefined if each begins where the one before ends. */
  readonly layoutProblem: string | undefined;
}

/** Orders the blobs of a pack. There must be at least one. */
export function arrangeListing(listed: readonly PackedBlob[]): PackListing {
  const blobs = isAscending(listed)
    ? listed
    : listed.toSorted((a, b) => a.offset - b.offset || a.length - b.length);
  const header = new DataView(new ArrayBuffer(blobs.length * compressedEntryBytes));
  let headerLength = 0;
  let at = 0;
  let end = 0;
  let trees = 0;
  let blobBytesMax = 0;
  let layoutProblem: string | undefined;
  for (const { id, isTree, offset, length, plainLength } of blobs) {
    if (offset !== at && layoutProblem === undefined)
      layoutProblem =
        offset > at
          ? `nothing is listed between byte ${at} and byte ${offset}`
          : `two blobs overlap at byte ${offset}`;
    at = offset + length;
    end = Math.max(end, at);
    if (isTree) trees += 1;
    blobBytesMax = Math.max(blobBytesMax, plainLength, length);
    headerLength = writeHeaderEntry(header, headerLength, id, 0, isTree, length, plainLength);
  }
  return {
    blobs,
    header: new Uint8Array(header.buffer, 0, headerLength),
    sizeBytes: end + headerLength + headerFrameBytes,
    hasTrees: trees > 0,
    hasData: trees < blobs.length,
    blobBytesMax,
    layoutProblem,
  };
}

/** All blobs of several listings of one pack, each once. */
export function mergeListings(listings: readonly (readonly PackedBlob[])[]): PackListing {
  const merged = new Map<string, PackedBlob>();
  for (const blobs of listings) for (const blob of blobs) merged.set(keyOf(blob), blob);
  return arrangeListing([...merged.values()]);
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

function isAscending(blobs: readonly PackedBlob[]): boolean {
  for (let i = 1; i < blobs.length; i += 1) if (blobs[i].offset < blobs[i - 1].offset) return false;
  return true;
}
