/** An open directory on Linux: everything below it is reached through its descriptor. */
import {
  type DirectoryListing,
  type DirectoryToken,
  type ExtendedAttribute,
  FileError,
  type SourceDirectory,
} from "../ports/source-files.ts";
import { joinPath } from "./entry-path.ts";
import { currentDirectory, libc, openFlags } from "./libc.ts";
import { tryOpen } from "./open-descriptor.ts";
import type { ReadingCalls } from "./reading-calls.ts";

export class LinuxSourceDirectory implements SourceDirectory {
  readonly path: Uint8Array;
  readonly token: DirectoryToken;
  readonly #calls: ReadingCalls;
  #descriptor: number;
  #isListed = false;

  /** Takes over `descriptor`. */
  constructor(descriptor: number, path: Uint8Array, calls: ReadingCalls) {
    this.path = path;
    this.token = { descriptor, path };
    this.#descriptor = descriptor;
    this.#calls = calls;
  }

  list(): DirectoryListing {
    const isFirst = !this.#isListed;
    this.#isListed = true;
    return this.#calls.directories.list(this.#descriptor, isFirst, this.path);
  }

  stat(name: Uint8Array | undefined, record: Uint8Array, offset: number): void {
    this.#calls.entries.stat(this.#descriptor, name, this.path, record, offset);
  }

  readLink(name: Uint8Array): Uint8Array {
    return this.#calls.entries.readLink(this.#descriptor, name, this.path);
  }

  extendedAttributes(name: Uint8Array | undefined): ExtendedAttribute[] {
    return name === undefined
      ? this.#calls.attributes.ofDescriptor(this.#descriptor, this.path, undefined)
      : this.#calls.attributes.ofEntry(this.#descriptor, name, this.path);
  }

  openDirectory(name: Uint8Array): SourceDirectory {
    const path = joinPath(this.path, name);
    const descriptor = openDirectoryDescriptor(this.#calls, this.#descriptor, name, path);
    return new LinuxSourceDirectory(descriptor, path, this.#calls);
  }

  close(): void {
    if (this.#descriptor >= 0) {
      libc().close(this.#descriptor);
      this.#descriptor = -1;
    }
  }
}

/** Opens the directory at `path`, as given: a symlink as its last component is refused. */
export function openLinuxDirectory(path: Uint8Array, calls: ReadingCalls): SourceDirectory {
  const descriptor = openDirectoryDescriptor(calls, currentDirectory, path, path);
  return new LinuxSourceDirectory(descriptor, path, calls);
}

function openDirectoryDescriptor(
  calls: ReadingCalls,
  parent: number,
  name: Uint8Array,
  path: Uint8Array,
): number {
  const address = calls.entries.path.write(name);
  const opened = tryOpen(parent, address, openFlags.directory | openFlags.noFollow);
  if (typeof opened === "string") {
    throw new FileError(opened, "openat", Buffer.from(path).toString());
  }
  return opened;
}
