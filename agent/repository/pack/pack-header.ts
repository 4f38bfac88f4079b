/**
 * The header of a pack: one entry per blob in physical order, 37 bytes for a plain blob, 41 for a
 * compressed one. The file is: sealed blobs ‖ sealed header ‖ length of the sealed header (u32 little endian).
 */

import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";

export const plainEntryBytes = 37;
export const compressedEntryBytes = 41;
/** Bytes of a pack besides blobs and header entries. */
export const headerFrameBytes = sealOverheadBytes + 4;
/** Most bytes of a header, as restic accepts. */
export const headerBytesMax = 16 * 1024 * 1024;

/** One blob as a header or an index file describes it. */
export interface PackedBlob {
  readonly id: Uint8Array;
  readonly isTree: boolean;
  /** Of the sealed blob in the pack. */
  readonly offset: number;
  /** Bytes of the sealed blob. */
  readonly length: number;
  /** Bytes before compression, 0 if the blob is stored plain. */
  readonly plainLength: number;
}

/** Appends an entry; returns the offset behind it. */
export function writeHeaderEntry(
  header: DataView,
  at: number,
  ids: Uint8Array,
  idOffset: number,
  isTree: boolean,
  length: number,
  plainLength: number,
): number {
  const isCompressed = plainLength > 0;
  header.setUint8(at, (isCompressed ? 2 : 0) + (isTree ? 1 : 0));
  header.setUint32(at + 1, length, true);
  if (isCompressed) header.setUint32(at + 5, plainLength, true);
  const idAt = at + (isCompressed ? 9 : 5);
  for (let i = 0; i < 32; i += 1) header.setUint8(idAt + i, ids[idOffset + i]);
  return idAt + 32;
}

/**
 * Decodes an opened header; REPOSITORY_DAMAGED naming the pack if it is no header: an unknown type, a cut
 * entry, a blob shorter than its seal, or a compressed blob of no bytes (restic format, "packs").
 */
export function decodeHeader(header: Uint8Array, pack: string): PackedBlob[] {
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const blobs: PackedBlob[] = [];
  let offset = 0;
  let at = 0;
  while (at < header.length) {
    const type = header[at];
    const isCompressed = type >= 2;
    const entryBytes = isCompressed ? compressedEntryBytes : plainEntryBytes;
    if (type > 3 || at + entryBytes > header.length) throw malformed(pack);
    const length = view.getUint32(at + 1, true);
    const plainLength = isCompressed ? view.getUint32(at + 5, true) : 0;
    if (length < sealOverheadBytes || (isCompressed && plainLength === 0)) throw malformed(pack);
    const id = header.slice(at + entryBytes - 32, at + entryBytes);
    blobs.push({ id, isTree: (type & 1) === 1, offset, length, plainLength });
    offset += length;
    at += entryBytes;
  }
  return blobs;
}

function malformed(pack: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { pack, problem: "its header is malformed" });
}
