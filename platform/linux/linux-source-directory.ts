/** An open directory on Linux: everything below it is reached through its descriptor. */
import {
  type DirectoryListing,
  type DirectoryToken,
  type ExtendedAttribute,
  FileError,
  type SourceDirectory,
} from "../ports/source-files.ts";
import type { DirectoryReader } from "./directory-reader.ts";
import { type EntryCalls, joinPath } from "./entry-calls.ts";
import { currentDirectory, libc, openFlags } from "./libc.ts";
import { tryOpen } from "./open-descriptor.ts";

export class LinuxSourceDirectory implements SourceDirectory {
  readonly path: Uint8Array;
  readonly token: DirectoryToken;
  readonly #entries: EntryCalls;
  readonly #reader: DirectoryReader;
  #descriptor: number;
  #isListed = false;

  /** Takes over `descriptor`. */
  constructor(descriptor: number, path: Uint8Array, entries: EntryCalls, reader: DirectoryReader) {
    this.path = path;
    this.token = { descriptor, path };
    this.#descriptor = descriptor;
    this.#entries = entries;
    this.#reader = reader;
  }

  list(): DirectoryListing {
    const isFirst = !this.#isListed;
    this.#isListed = true;
    return this.#reader.list(this.#descriptor, isFirst, this.path);
  }

  stat(name: Uint8Array | undefined, record: Uint8Array, offset: number): void {
    this.#entries.stat(this.#descriptor, name, this.path, record, offset);
  }

  readLink(name: Uint8Array): Uint8Array {
    return this.#entries.readLink(this.#descriptor, name, this.path);
  }

  extendedAttributes(name: Uint8Array | undefined): ExtendedAttribute[] {
    return name === undefined
      ? this.#entries.attributesOfDescriptor(this.#descriptor, this.path, undefined)
      : this.#entries.attributesOfEntry(this.#descriptor, name, this.path);
  }

  openDirectory(name: Uint8Array): SourceDirectory {
    const path = joinPath(this.path, name);
    const descriptor = openDirectoryDescriptor(this.#entries, this.#descriptor, name, path);
    return new LinuxSourceDirectory(descriptor, path, this.#entries, this.#reader);
  }

  close(): void {
    if (this.#descriptor >= 0) {
      libc().close(this.#descriptor);
      this.#descriptor = -1;
    }
  }
}

/** Opens the directory at `path`, as given: a symlink as its last component is refused. */
export function openLinuxDirectory(
  path: Uint8Array,
  entries: EntryCalls,
  reader: DirectoryReader,
): SourceDirectory {
  const descriptor = openDirectoryDescriptor(entries, currentDirectory, path, path);
  return new LinuxSourceDirectory(descriptor, path, entries, reader);
}

function openDirectoryDescriptor(
  entries: EntryCalls,
  parent: number,
  name: Uint8Array,
  path: Uint8Array,
): number {
  const address = entries.path.write(name);
  const opened = tryOpen(parent, address, openFlags.directory | openFlags.noFollow);
  if (typeof opened === "string") {
    throw new FileError(opened, "openat", Buffer.from(path).toString());
  }
  return opened;
}
