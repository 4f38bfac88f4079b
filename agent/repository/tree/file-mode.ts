/** Between the mode of a Unix system and the number of Go's FileMode, which trees hold. */
import { modeType } from "../../../platform/ports/stat-record.ts";
import type { NodeType } from "./node.ts";

/** Go's bits above the permissions. */
export const goMode = {
  directory: 0x80000000,
  symlink: 0x08000000,
  device: 0x04000000,
  fifo: 0x02000000,
  socket: 0x01000000,
  setuid: 0x00800000,
  setgid: 0x00400000,
  charDevice: 0x00200000,
  sticky: 0x00100000,
} as const;

const setuidBit = 0o4000;
const setgidBit = 0o2000;
const stickyBit = 0o1000;

/** The node type of a Unix `st_mode`, or undefined if its type bits are none that we know. */
export function nodeTypeOf(stMode: number): NodeType | undefined {
  switch (stMode & modeType.mask) {
    case modeType.file:
      return "file";
    case modeType.directory:
      return "dir";
    case modeType.symlink:
      return "symlink";
    case modeType.blockDevice:
      return "dev";
    case modeType.charDevice:
      return "chardev";
    case modeType.fifo:
      return "fifo";
    case modeType.socket:
      return "socket";
    default:
      return undefined;
  }
}

/** Go's FileMode (u32) of a Unix `st_mode`. */
export function goFileMode(stMode: number): number {
  let mode = stMode & 0o777;
  if (stMode & setuidBit) mode |= goMode.setuid;
  if (stMode & setgidBit) mode |= goMode.setgid;
  if (stMode & stickyBit) mode |= goMode.sticky;
  switch (stMode & modeType.mask) {
    case modeType.directory:
      mode |= goMode.directory;
      break;
    case modeType.symlink:
      mode |= goMode.symlink;
      break;
    case modeType.blockDevice:
      mode |= goMode.device;
      break;
    case modeType.charDevice:
      mode |= goMode.device | goMode.charDevice;
      break;
    case modeType.fifo:
      mode |= goMode.fifo;
      break;
    case modeType.socket:
      mode |= goMode.socket;
      break;
    default:
  }
  return mode >>> 0;
}

/** The permission bits 0 … 07777 of a Unix system in Go's FileMode: what chmod takes. */
export function permissionBits(goFileMode: number): number {
  let bits = goFileMode & 0o777;
  if (goFileMode & goMode.setuid) bits |= setuidBit;
  if (goFileMode & goMode.setgid) bits |= setgidBit;
  if (goFileMode & goMode.sticky) bits |= stickyBit;
  return bits;
}
