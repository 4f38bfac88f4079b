/** Sizes in stat records, read without objects: this is asked for each entry. */
import { statAt } from "../../../platform/ports/stat-record.ts";

/** Size of the entry whose record stands at `at`, in bytes. */
export function sizeIn(records: Uint8Array, at: number): number {
  return wordAt(records, at + statAt.size) + wordAt(records, at + statAt.size + 4) * 4294967296;
}

/** Bytes that the entry takes on disk; fewer than its size if it has holes. */
export function storedSizeIn(records: Uint8Array, at: number): number {
  const blocks =
    wordAt(records, at + statAt.blocks) + wordAt(records, at + statAt.blocks + 4) * 4294967296;
  return blocks * 512;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}
