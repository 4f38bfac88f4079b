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
  readonly #isReadable: boolean;
  #isListed = false;

  /** Takes over a descriptor. */
  constructor(opened: OpenedDirectory, path: Uint8Array, calls: ReadingCalls) {
    this.path = path;
    this.token = { descriptor: opened.descriptor, path };
    this.#descriptor = opened.descriptor;
    this.#isReadable = opened.isReadable;
    this.#calls = calls;
  }

  list(): DirectoryListing {
    if (!this.#isReadable)
      throw new FileError("EACCES", "openat", Buffer.from(this.path).toString());
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
    const opened = openDirectoryDescriptor(this.#calls, this.#descriptor, name, path);
    return new LinuxSourceDirectory(opened, path, this.#calls);
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
  const opened = openDirectoryDescriptor(calls, currentDirectory, path, path);
  return new LinuxSourceDirectory(opened, path, calls);
}

interface OpenedDirectory {
  readonly descriptor: number;
  /** False if this account may only look up names in it. */
  readonly isReadable: boolean;
}

function openDirectoryDescriptor(
  calls: ReadingCalls,
  parent: number,
  name: Uint8Array,
  path: Uint8Array,
): OpenedDirectory {
  const address = calls.entries.path.write(name);
  const flags = openFlags.directory | openFlags.noFollow;
  const opened = tryOpen(parent, address, flags);
  if (typeof opened === "number") return { descriptor: opened, isReadable: true };
  // The way to a source may lead through directories that may be entered but not read.
  const entered = opened === "EACCES" ? tryOpen(parent, address, flags | openFlags.path) : opened;
  if (typeof entered === "number") return { descriptor: entered, isReadable: false };
  throw new FileError(opened, "openat", Buffer.from(path).toString());
}
