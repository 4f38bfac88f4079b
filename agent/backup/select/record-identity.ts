/** The few fields of a stat record by which entries are selected. */
import { modeType, statAt } from "../../../platform/ports/stat-record.ts";

/** A file system, as two 32-bit words. */
export interface Device {
  readonly low: number;
  readonly high: number;
}

/** An entry whatever path leads to it. Two names of one file share it. */
export interface Identity {
  readonly device: Device;
  readonly inodeLow: number;
  readonly inodeHigh: number;
}

export function isDirectory(record: Uint8Array, offset: number): boolean {
  return (wordAt(record, offset + statAt.mode) & modeType.mask) === modeType.directory;
}

export function sizeBytesOf(record: Uint8Array, offset: number): number {
  const high = wordAt(record, offset + statAt.size + 4);
  return high * 2 ** 32 + wordAt(record, offset + statAt.size);
}

export function isOnDevice(device: Device, record: Uint8Array, offset: number): boolean {
  return (
    device.low === wordAt(record, offset + statAt.device) &&
    device.high === wordAt(record, offset + statAt.device + 4)
  );
}

export function identityOf(record: Uint8Array, offset: number): Identity {
  return {
    device: {
      low: wordAt(record, offset + statAt.device),
      high: wordAt(record, offset + statAt.device + 4),
    },
    inodeLow: wordAt(record, offset + statAt.inode),
    inodeHigh: wordAt(record, offset + statAt.inode + 4),
  };
}

/** True if the record is of this very entry. Inode 0 is no number: file systems without inodes give it to all. */
export function isIdentity(identity: Identity, record: Uint8Array, offset: number): boolean {
  const low = wordAt(record, offset + statAt.inode);
  if (low !== identity.inodeLow) return false;
  const high = wordAt(record, offset + statAt.inode + 4);
  if (high !== identity.inodeHigh || (low === 0 && high === 0)) return false;
  return isOnDevice(identity.device, record, offset);
}

function wordAt(record: Uint8Array, at: number): number {
  return (
    (record[at] | (record[at + 1] << 8) | (record[at + 2] << 16) | (record[at + 3] << 24)) >>> 0
  );
}
