/**
 * A directory by its path, listed and looked up through Node's own file calls. Node opens no directories, so a
 * directory above the entry that is swapped for a symlink meanwhile goes unnoticed (docs/platforms.md).
 */
import { lstatSync, opendirSync, readlinkSync } from "node:fs";
import { NameList } from "../listing/name-list.ts";
import {
  type DirectoryListing,
  type DirectoryToken,
  type ExtendedAttribute,
  FileError,
  type SourceDirectory,
} from "../ports/source-files.ts";
import { callNode, childPath, nodePath } from "./node-path.ts";
import { encodeStats } from "./stat-encoder.ts";

/** How many entries Node fetches from the system at once. */
const entriesAtOnce = 1024;

export class NodeSourceDirectory implements SourceDirectory {
  readonly path: Uint8Array;
  readonly token: DirectoryToken;

  constructor(path: Uint8Array) {
    this.path = path;
    this.token = { descriptor: -1, path };
  }

  list(): DirectoryListing {
    const names = new NameList();
    callNode(this.path, () => {
      // Node's types know no encoding of bytes here; Node does.
      const encoding = "buffer" as BufferEncoding;
      const directory = opendirSync(nodePath(this.path), { encoding, bufferSize: entriesAtOnce });
      try {
        for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
          names.add(entry.name as unknown as Buffer);
        }
      } finally {
        directory.closeSync();
      }
    });
    return names.take();
  }

  stat(name: Uint8Array | undefined, record: Uint8Array, offset: number): void {
    statNodePath(this.#entryPath(name), record, offset);
  }

  readLink(name: Uint8Array): Uint8Array {
    return readNodeLink(this.#entryPath(name));
  }

  extendedAttributes(_name: Uint8Array | undefined): ExtendedAttribute[] {
    return [];
  }

  openDirectory(name: Uint8Array): SourceDirectory {
    return openNodeDirectory(childPath(this.path, name));
  }

  close(): void {
    // Nothing is held open.
  }

  #entryPath(name: Uint8Array | undefined): Uint8Array {
    return name === undefined ? this.path : childPath(this.path, name);
  }
}

/** FileError ELOOP for a symlink, ENOTDIR for anything else that is no directory. */
export function openNodeDirectory(path: Uint8Array): SourceDirectory {
  const stats = callNode(path, () => lstatSync(nodePath(path)));
  if (!stats.isDirectory()) {
    const code = stats.isSymbolicLink() ? "ELOOP" : "ENOTDIR";
    throw new FileError(code, "open", Buffer.from(path).toString());
  }
  return new NodeSourceDirectory(path);
}

/** Writes the stat record of `path`, never following a symlink. */
export function statNodePath(path: Uint8Array, record: Uint8Array, offset: number): void {
  const stats = callNode(path, () => lstatSync(nodePath(path), { bigint: true }));
  encodeStats(stats, record, offset);
}

export function readNodeLink(path: Uint8Array): Uint8Array {
  return callNode(path, () => readlinkSync(nodePath(path), { encoding: "buffer" }));
}
