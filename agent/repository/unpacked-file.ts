/** The encoding of index, snapshot and lock files: sealed JSON, compressed in format 2. */

import { sealOverheadBytes } from "../../platform/ports/codec.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Sealer } from "./crypto/sealed-bytes.ts";

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

/** Stored bytes of a file in format `version`, opened again and compared: VERIFY_FAILED if they differ. */
export function encodeUnpacked(sealer: Sealer, json: Uint8Array, version: 1 | 2): Uint8Array {
  const stored = sealer.seal(version === 1 ? json : compress(sealer, json));
  const opened = sealer.open(stored);
  if (opened === undefined || !isEncodingOf(sealer, opened, json))
    throw new BackstayError("VERIFY_FAILED", { sizeBytes: json.length });
  return stored;
}

function compress(sealer: Sealer, json: Uint8Array): Uint8Array {
  const capacity = json.length + (json.length >> 7) + 512;
  const frame = new Uint8Array(capacity + 1);
  frame[0] = compressedMarker;
  const length = sealer.codec.compress(json, 0, json.length, frame, 1, capacity, metadataLevel);
  if (length < 0) throw new BackstayError("INTERNAL", { problem: "zstd wants more room" });
  return frame.subarray(0, length + 1);
}

function isEncodingOf(sealer: Sealer, plain: Uint8Array, json: Uint8Array): boolean {
  if (plain[0] !== compressedMarker) return Buffer.compare(plain, json) === 0;
  const decoded = new Uint8Array(json.length);
  const length = sealer.codec.decompress(plain, 1, plain.length - 1, decoded, 0, json.length);
  return length === json.length && Buffer.compare(decoded, json) === 0;
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
