/** The encoding of index, snapshot and lock files: sealed JSON, compressed in format 2. */

import { sealOverheadBytes, type TakeBytes } from "../../platform/ports/codec.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Sealer } from "./crypto/sealed-bytes.ts";
import { EncodedBytes } from "./encoded-bytes.ts";

export type UnpackedType = "index" | "snapshots" | "locks";

/** How large a file may be. */
export interface UnpackedLimits {
  readonly storedBytesMax: number;
  /** Of JSON. */
  readonly plainBytesMax: number;
}

const mebibyte = 1024 * 1024;

/**
 * Far above what any writer makes, and low enough that a hostile file can't take all memory: index files
 * have up to 8 MiB, snapshots grow with their lists of paths, locks have 300 bytes.
 */
export const unpackedLimits: Readonly<Record<UnpackedType, UnpackedLimits>> = {
  index: { storedBytesMax: 64 * mebibyte, plainBytesMax: 256 * mebibyte },
  snapshots: { storedBytesMax: 128 * mebibyte, plainBytesMax: 128 * mebibyte },
  locks: { storedBytesMax: 64 * 1024, plainBytesMax: 64 * 1024 },
};

/** First byte of a compressed file; uncompressed JSON begins with `{` or `[`. */
const compressedMarker = 2;
const metadataLevel = 3;
/** Bytes of the IV before the cipher text. */
const ivBytes = 16;

/** Hands over the JSON of a file piece by piece. */
export type JsonPieces = (take: TakeBytes) => void;

/** Stored bytes of a file in format `version`, opened again and compared: VERIFY_FAILED if they differ. */
export function encodeUnpacked(sealer: Sealer, json: Uint8Array, version: 1 | 2): Uint8Array {
  return encodeUnpackedPieces(sealer, (take) => take(json, 0, json.length), version);
}

/** As `encodeUnpacked`, for JSON that is never whole in memory. */
export function encodeUnpackedPieces(
  sealer: Sealer,
  pieces: JsonPieces,
  version: 1 | 2,
): Uint8Array {
  const encoded = new EncodedBytes(sealer.codec, version === 1 ? undefined : metadataLevel);
  pieces((bytes, offset, length) => encoded.add(bytes, offset, length));
  encoded.finish();
  const markerBytes = version === 1 ? 0 : 1;
  const plainLength = markerBytes + encoded.encodedLength;
  const stored = new Uint8Array(plainLength + sealOverheadBytes);
  // Sealed in its place: the cipher text begins behind the IV, where the plain text lies.
  stored[ivBytes] = compressedMarker;
  encoded.moveTo(stored, ivBytes + markerBytes);
  sealer.sealInto(stored, ivBytes, plainLength, stored, 0);
  if (!isEncodingOf(sealer, stored, encoded, version))
    throw new BackstayError("VERIFY_FAILED", { sizeBytes: encoded.plainLength });
  return stored;
}

/** True if `stored`, opened piece by piece, is what was encoded. */
function isEncodingOf(
  sealer: Sealer,
  stored: Uint8Array,
  { id, plainLength }: EncodedBytes,
  version: 1 | 2,
): boolean {
  const hash = sealer.codec.startSha256();
  const takeJson: TakeBytes = (bytes, offset, length) => hash.update(bytes, offset, length);
  const frames = version === 1 ? undefined : sealer.codec.startDecompress(plainLength, takeJson);
  let isMarked = frames === undefined;
  const isSealed = sealer.cipher.openInPieces(stored, 0, stored.length, (bytes, offset, length) => {
    if (frames === undefined) takeJson(bytes, offset, length);
    else if (isMarked) frames.update(bytes, offset, length);
    else {
      isMarked = bytes[offset] === compressedMarker;
      frames.update(bytes, offset + 1, length - 1);
    }
  });
  const areWhole = frames === undefined || frames.finish();
  const found = new Uint8Array(32);
  hash.finish(found, 0);
  return isSealed && isMarked && areWhole && Buffer.compare(found, id) === 0;
}

/**
 * The JSON bytes of a stored file. REPOSITORY_DAMAGED naming `file` if its seal is broken, it is encoded in
 * no known way, or it is larger than `limits`.
 */
export function decodeUnpacked(
  sealer: Sealer,
  stored: Uint8Array,
  file: string,
  limits: UnpackedLimits = unpackedLimits.index,
): Uint8Array {
  assertStoredSize(stored.length, file, limits);
  const plain = sealer.open(stored);
  if (plain === undefined) throw damaged(file, "its seal is broken");
  const first = plain[0];
  if (first === 0x7b || first === 0x5b) return plain;
  if (first !== compressedMarker) throw damaged(file, "unknown encoding");
  // The frame tells its size, but may lie: grow from a guess up to the limit.
  for (let capacity = Math.max(16 * 1024, plain.length * 8); ; capacity *= 8) {
    const bounded = Math.min(capacity, limits.plainBytesMax);
    const json = new Uint8Array(bounded);
    const length = sealer.codec.decompress(plain, 1, plain.length - 1, json, 0, bounded);
    if (length >= 0) return json.subarray(0, length);
    if (bounded === limits.plainBytesMax) throw damaged(file, "does not decompress");
  }
}

/** REPOSITORY_DAMAGED naming `file` if a stored file of this size is none; ask before loading it. */
export function assertStoredSize(sizeBytes: number, file: string, limits: UnpackedLimits): void {
  if (sizeBytes <= sealOverheadBytes) throw damaged(file, "shorter than a sealed file can be");
  if (sizeBytes > limits.storedBytesMax) throw damaged(file, "larger than any such file may be");
}

function damaged(file: string, problem: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { file, problem });
}
