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

function sameBytes(a: Uint8Array, at: number, b: Uint8Array, bt: number, count: number): boolean {
  for (let i = 0; i < count; i += 1) if (a[at + i] !== b[bt + i]) return false;
  return true;
}
