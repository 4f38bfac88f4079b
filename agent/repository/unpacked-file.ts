/** The encoding of index, snapshot and lock files: sealed JSON, compressed in format 2. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { sealOverheadBytes } from "../../platform/ports/codec.ts";
import type { Sealer } from "./crypto/sealed-bytes.ts";

/** Most bytes of JSON that an unpacked file may decode to. */
const plainBytesMax = 512 * 1024 * 1024 - 1024;
/** First byte of a compressed file; uncompressed JSON begins with `{` or `[`. */
const compressedMarker = 2;
const metadataLevel = 3;

/** Stored bytes of a file in format `version`. */
export function encodeUnpacked(sealer: Sealer, json: Uint8Array, version: 1 | 2): Uint8Array {
  if (version === 1) return sealer.seal(json);
  const capacity = json.length + (json.length >> 7) + 512;
  const frame = new Uint8Array(capacity + 1);
  frame[0] = compressedMarker;
  const length = sealer.codec.compress(json, 0, json.length, frame, 1, capacity, metadataLevel);
  return sealer.seal(frame.subarray(0, length + 1));
}

/** The JSON bytes of a stored file; REPOSITORY_DAMAGED, naming `file`, if they can't be had. */
export function decodeUnpacked(sealer: Sealer, stored: Uint8Array, file: string): Uint8Array {
  if (stored.length <= sealOverheadBytes) throw damaged(file, "shorter than a sealed file can be");
  const plain = sealer.open(stored);
  if (plain === undefined) throw damaged(file, "its seal is broken");
  const first = plain[0];
  if (first === 0x7b || first === 0x5b) return plain;
  if (first !== compressedMarker) throw damaged(file, "unknown encoding");
  // The frame tells its size, but may lie: grow from a guess up to the limit.
  for (let capacity = Math.max(64 * 1024, plain.length * 8); ; capacity *= 8) {
    const bounded = Math.min(capacity, plainBytesMax);
    const json = new Uint8Array(bounded);
    const length = sealer.codec.decompress(plain, 1, plain.length - 1, json, 0, bounded);
    if (length >= 0) return json.subarray(0, length);
    if (bounded === plainBytesMax) throw damaged(file, "does not decompress");
  }
}

function damaged(file: string, problem: string): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", { file, problem });
}
