/**
 * Reads the header of a stored pack, for check and for packs that an interrupted run left without index.
 * The pack may be hostile: nothing is allocated or believed before it is bounded.
 */
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import {
  decodeHeader,
  headerBytesMax,
  headerFrameBytes,
  type PackedBlob,
  plainEntryBytes,
} from "./pack-header.ts";

const lengthBytes = 4;
/** Smallest pack: the header of one blob; its blob's bytes are counted by `assertFills`. */
const packBytesMin = plainEntryBytes + headerFrameBytes;
/** Fetched from the end at first: the header of a pack of about 800 blobs comes with one request. */
const tailBytes = 32 * 1024;

/** What the end of a pack says about it. */
export interface ReadPackHeader {
  /** In physical order; together with the header they fill the pack exactly. At least one. */
  readonly blobs: PackedBlob[];
  /** The plain header, as `encodeIndex` wants it. */
  readonly header: Uint8Array;
}

/**
 * The blobs of the pack `packId` (hex) of `sizeBytes`, as its own header lists them. REPOSITORY_DAMAGED
 * naming the pack if its header is cut, too long, not sealed by this key or malformed, or does not
 * account for every byte. Otherwise rejects as `ObjectStore.load`. The content of blobs is not looked at.
 */
export async function loadPackHeader(
  store: ObjectStore,
  sealer: Sealer,
  packId: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<PackedBlob[]> {
  return (await readPackHeader(store, sealer, packId, sizeBytes, signal)).blobs;
}

/** As `loadPackHeader`, with the plain header besides. */
export async function readPackHeader(
  store: ObjectStore,
  sealer: Sealer,
  packId: string,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<ReadPackHeader> {
  if (sizeBytes < packBytesMin) throw damaged(packId, "it is shorter than a pack can be");
  const handle = { type: "data", name: packId } as const;
  const fetched = Math.min(sizeBytes, tailBytes);
  const tailRange = { offset: sizeBytes - fetched, length: fetched };
  const tail = await store.load(handle, tailRange, signal);
  const sealedLength = headerLength(tail, packId, sizeBytes);
  const headerAt = sizeBytes - lengthBytes - sealedLength;
  const sealed =
    headerAt >= tailRange.offset
      ? tail.subarray(headerAt - tailRange.offset, fetched - lengthBytes)
      : await store.load(handle, { offset: headerAt, length: sealedLength }, signal);
  return openPackHeader(sealer, sealed, packId, headerAt);
}

/** The same for a pack that is in memory, whole. */
export function packHeaderOf(sealer: Sealer, pack: Uint8Array, packId: string): ReadPackHeader {
  if (pack.length < packBytesMin) throw damaged(packId, "it is shorter than a pack can be");
  const headerAt = pack.length - lengthBytes - headerLength(pack, packId, pack.length);
  return openPackHeader(
    sealer,
    pack.subarray(headerAt, pack.length - lengthBytes),
    packId,
    headerAt,
  );
}

/** Bytes of the sealed header, which the last four bytes of a pack tell; checked against the pack's size. */
function headerLength(tail: Uint8Array, packId: string, sizeBytes: number): number {
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const length = view.getUint32(tail.length - lengthBytes, true);
  if (length < plainEntryBytes + sealOverheadBytes)
    throw damaged(packId, "its header is shorter than one entry");
  if (length > headerBytesMax) throw damaged(packId, "its header is longer than 16 MiB");
  if (length > sizeBytes - lengthBytes) throw damaged(packId, "its header is longer than the pack");
  return length;
}

function openPackHeader(
  sealer: Sealer,
  sealed: Uint8Array,
  packId: string,
  blobBytes: number,
): ReadPackHeader {
  const header = sealer.open(sealed);
  if (header === undefined) throw damaged(packId, "the seal of its header is broken");
  const blobs = decodeHeader(header, packId);
  const last = blobs[blobs.length - 1];
  if (last.offset + last.length !== blobBytes)
    throw damaged(packId, "its header does not account for all its bytes");
  return { blobs, header };
}

function damaged(pack: string, problem: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { pack, problem });
}
