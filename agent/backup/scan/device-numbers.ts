/**
 * Device numbers of hard-linked files, which with the inode say what is linked with what. The kernel's own numbers
 * change with reboots and volume snapshots, and would change every tree; numbers counted in a run would differ
 * between trees of this run and those kept from earlier ones. So a file system is known by the place where the
 * walk enters it.
 */
import { createHash } from "node:crypto";
import { modeType, statAt } from "../../../platform/ports/stat-record.ts";

/** Number of a file system that the walk enters at `path`: 48 bits, never 0. */
export function deviceNumberOf(path: Uint8Array): number {
  return createHash("sha256").update(path).digest().readUIntBE(0, 6) || 1;
}

/** True for an entry with several links that is no directory. */
export function isHardLinked(records: Uint8Array, at: number): boolean {
  const isDirectory = ((records[at + 1] << 8) & modeType.mask) === modeType.directory;
  const links = at + statAt.links;
  const hasOneLink =
    records[links] <= 1 &&
    records[links + 1] === 0 &&
    records[links + 2] === 0 &&
    records[links + 3] === 0;
  return !isDirectory && !hasOneLink;
}

/** True if two entries lie on one file system. */
export function isSameDevice(a: Uint8Array, at: number, b: Uint8Array, bt: number): boolean {
  for (let i = statAt.device; i < statAt.device + 8; i += 1)
    if (a[at + i] !== b[bt + i]) return false;
  return true;
}
