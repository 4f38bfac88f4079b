/** From the kernel's `struct statx` to our stat record. */
import { modeType, statAt, statFlags } from "../ports/stat-record.ts";

/** Size of the kernel's `struct statx`. */
export const statxBytes = 256;

/** What to ask statx for: the basic fields but the access time, and the id of the mount. */
export const statxMask = 0x17df;

/** Word offsets inside `struct statx`. */
const at = {
  attributes: 2,
  links: 4,
  uid: 5,
  gid: 6,
  mode: 7,
  inode: 8,
  size: 10,
  blocks: 12,
  ctime: 24,
  mtime: 28,
  rdevMajor: 32,
  rdevMinor: 33,
  deviceMajor: 34,
  deviceMinor: 35,
  mountId: 36,
} as const;

const attribute = {
  compressed: 0x4,
  immutable: 0x10,
  append: 0x20,
  noDump: 0x40,
  encrypted: 0x800,
  verity: 0x100000,
} as const;

let lastRecords: Uint8Array | undefined;
let lastView: DataView | undefined;

/** Writes what `statx` (the words of the kernel's answer) says to `record` at `offset`. */
export function decodeStatx(statx: Uint32Array, record: Uint8Array, offset: number): void {
  let view = lastView;
  if (record !== lastRecords || view === undefined) {
    view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    lastRecords = record;
    lastView = view;
  }
  const mode = statx[at.mode] & 0xffff;
  const type = mode & modeType.mask;
  view.setUint32(offset + statAt.mode, mode, true);
  view.setUint32(offset + statAt.uid, statx[at.uid], true);
  view.setUint32(offset + statAt.gid, statx[at.gid], true);
  view.setUint32(offset + statAt.mtimeNs, statx[at.mtime + 2], true);
  view.setUint32(offset + statAt.ctimeNs, statx[at.ctime + 2], true);
  view.setUint32(offset + statAt.links, statx[at.links], true);
  copyPair(view, offset + statAt.inode, statx, at.inode);
  if (type === modeType.file || type === modeType.symlink) {
    copyPair(view, offset + statAt.size, statx, at.size);
  } else {
    writePair(view, offset + statAt.size, 0, 0);
  }
  copyPair(view, offset + statAt.mtime, statx, at.mtime);
  copyPair(view, offset + statAt.ctime, statx, at.ctime);
  if (type === modeType.blockDevice || type === modeType.charDevice) {
    writeDevice(view, offset + statAt.rdev, statx[at.rdevMajor], statx[at.rdevMinor]);
  } else {
    writePair(view, offset + statAt.rdev, 0, 0);
  }
  writeDevice(view, offset + statAt.device, statx[at.deviceMajor], statx[at.deviceMinor]);
  copyPair(view, offset + statAt.blocks, statx, at.blocks);
  view.setUint32(offset + statAt.flags, flagsOf(statx[at.attributes]), true);
  view.setUint32(offset + statAt.flags + 4, 0, true);
}

/** File type and permission bits of an answer. */
export function statxMode(statx: Uint32Array): number {
  return statx[at.mode] & 0xffff;
}

/** Size in bytes of an answer. */
export function statxSize(statx: Uint32Array): number {
  return statx[at.size] + statx[at.size + 1] * 0x100000000;
}

/** Id of the mount that the answer's entry was reached through, undefined on kernels before 5.8. */
export function statxMountId(statx: Uint32Array): number | undefined {
  const known = (statx[0] & 0x1000) !== 0;
  return known ? statx[at.mountId] + statx[at.mountId + 1] * 0x100000000 : undefined;
}

/** Device number of the file system as `major:minor`. */
export function statxDevice(statx: Uint32Array): string {
  return `${statx[at.deviceMajor]}:${statx[at.deviceMinor]}`;
}

/** Device number of a device node as `major:minor`. */
export function statxRdev(statx: Uint32Array): string {
  return `${statx[at.rdevMajor]}:${statx[at.rdevMinor]}`;
}

function copyPair(view: DataView, target: number, statx: Uint32Array, word: number): void {
  view.setUint32(target, statx[word], true);
  view.setUint32(target + 4, statx[word + 1], true);
}

function writePair(view: DataView, target: number, low: number, high: number): void {
  view.setUint32(target, low, true);
  view.setUint32(target + 4, high, true);
}

/** The C library's 64-bit form: minor bits 0-7 and major bits 0-11 as of old, the rest above them. */
function writeDevice(view: DataView, target: number, major: number, minor: number): void {
  const low = (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12);
  const high = (minor >>> 20) | (major & 0xfffff000);
  writePair(view, target, low, high);
}

function flagsOf(attributes: number): number {
  const known =
    attribute.compressed |
    attribute.immutable |
    attribute.append |
    attribute.noDump |
    attribute.encrypted |
    attribute.verity;
  if ((attributes & known) === 0) {
    return 0;
  }
  let flags = 0;
  if (attributes & attribute.compressed) flags |= statFlags.compressed;
  if (attributes & attribute.immutable) flags |= statFlags.immutable;
  if (attributes & attribute.append) flags |= statFlags.appendOnly;
  if (attributes & attribute.noDump) flags |= statFlags.noDump;
  if (attributes & attribute.encrypted) flags |= statFlags.encrypted;
  if (attributes & attribute.verity) flags |= statFlags.verity;
  return flags;
}
