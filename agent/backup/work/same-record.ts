/** Comparison of stat records: has the content, or anything of a node, changed? */
import { statAt } from "../../../platform/ports/stat-record.ts";

/** Bytes of mode and type: the upper half byte of the second byte holds the type. */
const typeByte = statAt.mode + 1;

/** True if type, size, inode, mtime and ctime agree: then the bytes of the file are taken to be the same. */
export function isSameContent(a: Uint8Array, at: number, b: Uint8Array, bt: number): boolean {
  return (
    (a[at + typeByte] & 0xf0) === (b[bt + typeByte] & 0xf0) &&
    sameBytes(a, at + statAt.mtimeNs, b, bt + statAt.mtimeNs, 8) &&
    sameBytes(a, at + statAt.inode, b, bt + statAt.inode, 32)
  );
}

/** True if everything agrees that a node stores, links aside for directories, whose nodes have none. */
export function isSameNode(a: Uint8Array, at: number, b: Uint8Array, bt: number): boolean {
  const isDirectory = (a[at + typeByte] & 0xf0) === 0x40;
  return (
    sameBytes(a, at, b, bt, statAt.links) &&
    (isDirectory || sameBytes(a, at + statAt.links, b, bt + statAt.links, 4)) &&
    sameBytes(a, at + statAt.inode, b, bt + statAt.inode, statAt.device - statAt.inode)
  );
}

/** Times of most file systems advance in steps of at most this, those without fractions of seconds in steps of two seconds. */
const stepMs = 20;
const coarseStepMs = 2000;

/**
 * True if the entry of a record that was just taken had changed within the last step of its file system's clock: a
 * change in the rest of that step would leave the same times.
 */
export function hasJustChanged(record: Uint8Array): boolean {
  const nanoseconds = wordAt(record, statAt.ctimeNs);
  const seconds = wordAt(record, statAt.ctime) + wordAt(record, statAt.ctime + 4) * 4294967296;
  const ageMs = Date.now() - seconds * 1000 - nanoseconds / 1e6;
  // A time in the future says that clocks differ or jumped, and nothing else.
  return Math.abs(ageMs) < (nanoseconds === 0 ? coarseStepMs : stepMs);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function sameBytes(a: Uint8Array, at: number, b: Uint8Array, bt: number, count: number): boolean {
  for (let i = 0; i < count; i += 1) if (a[at + i] !== b[bt + i]) return false;
  return true;
}
