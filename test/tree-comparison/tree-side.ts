/** One side of a comparison: walks a folder by names in raw bytes, also below what a path can say. */
import { type BigIntStats, closeSync, constants, lstatSync, openSync, readdirSync } from "node:fs";

/** From here on a folder is reached through a descriptor. Half of what Linux takes in one path. */
const pathBytesMax = 2000;
const slash = Buffer.from("/");

/** An open or named folder. Close it when its entries are done. */
export class SideFolder {
  /** What to put in front of a name. */
  readonly #path: Buffer;
  readonly #descriptor: number | undefined;

  constructor(path: Buffer) {
    if (path.length <= pathBytesMax) {
      this.#path = path;
      return;
    }
    const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    this.#descriptor = openSync(path, flags);
    this.#path = Buffer.from(`/proc/self/fd/${this.#descriptor}`);
  }

  /** Names in ascending order of their bytes. */
  names(): Buffer[] {
    const path = Buffer.concat([this.#path, slash]);
    return readdirSync(path, { encoding: "buffer" }).sort((a, b) => a.compare(b));
  }

  path(name: Uint8Array): Buffer {
    return Buffer.concat([this.#path, slash, name]);
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
  }
}

/** An entry of one side. */
export interface SideEntry {
  readonly path: Buffer;
  readonly stats: BigIntStats;
}

export function sideEntry(path: Buffer): SideEntry {
  return { path, stats: lstatSync(path, { bigint: true }) };
}

/** In the words of find(1), longer. */
export function typeOf(stats: BigIntStats): string {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "folder";
  if (stats.isSymbolicLink()) return "symlink";
  if (stats.isFIFO()) return "fifo";
  if (stats.isSocket()) return "socket";
  return stats.isBlockDevice() ? "block device" : "character device";
}
