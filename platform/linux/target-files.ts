/** Writing Linux file systems during a restore, by descriptors and single names; see the port for the rules. */
import { mkdirSync, readFileSync } from "node:fs";
import { type DirectoryListing, type DirectoryToken, FileError } from "../ports/source-files.ts";
import { modeType } from "../ports/stat-record.ts";
import {
  type TargetAbilities,
  type TargetFiles,
  type TargetHandle,
  unfinishedMode,
} from "../ports/target-files.ts";
import { DirectoryReader } from "./directory-reader.ts";
import { EntryCalls } from "./entry-calls.ts";
import { currentDirectory, lastErrorName, libc, openFlags } from "./libc.ts";
import { addressOf, NativeMemory, PathMemory } from "./native-memory.ts";
import { tryOpen } from "./open-descriptor.ts";
import { statxMode } from "./stat-decoder.ts";
import { TargetAttributes } from "./target-attributes.ts";
import { removeDirectoryFlag, targetCalls, writeFlags } from "./target-calls.ts";
import { BeneathOpener } from "./target-open-beneath.ts";

const nothing = new Uint8Array(0);
const dot = 0x2e;
const emptyPathFlag = 0x1000;
/** Attribute bit of statx: the entry is the root of a mount. */
const mountRoot = 0x2000;

/** Bits of CapEff that giving files away, and keeping their setuid bits, needs. */
const capability = { chown: 0, fowner: 3, fsetid: 4 } as const;

export class LinuxTargetFiles implements TargetFiles {
  readonly abilities: TargetAbilities;
  readonly userId: number = process.geteuid?.() ?? 0;
  readonly groupId: number = process.getegid?.() ?? 0;
  readonly #libc = libc();
  readonly #calls = targetCalls();
  readonly #entries = new EntryCalls();
  readonly #reader = new DirectoryReader();
  readonly #beneath = new BeneathOpener();
  readonly #attributes = new TargetAttributes();
  readonly #name = new PathMemory();
  readonly #otherName = new PathMemory();
  readonly #scratch = new NativeMemory(256);
  readonly #times = new DataView(this.#scratch.bytes.buffer);

  constructor() {
    this.abilities = {
      ownership: mayGiveAway(this.userId),
      modes: true,
      symlinks: true,
      extendedAttributes: true,
      specialFiles: true,
      anchored: true,
    };
  }

  openRoot(path: Uint8Array, create: boolean): TargetHandle {
    if (create) makeFolders(path);
    const flags = openFlags.readOnly | openFlags.directory | openFlags.closeOnExec;
    return this.#open(currentDirectory, path, flags, 0);
  }

  tokenOf(directory: TargetHandle): DirectoryToken {
    return { descriptor: directory, path: nothing };
  }

  openToken(token: DirectoryToken): TargetHandle {
    const flags = openFlags.readOnly | openFlags.directory | openFlags.closeOnExec;
    return this.#open(token.descriptor, Uint8Array.of(dot), flags, 0);
  }

  openDirectory(parent: TargetHandle, path: Uint8Array): TargetHandle {
    return this.#beneath.open(parent, path);
  }

  createDirectory(parent: TargetHandle, name: Uint8Array): void {
    check(this.#calls.mkdirat(parent, this.#name.write(name), 0o700), "mkdirat", name);
  }

  createFile(parent: TargetHandle, name: Uint8Array): TargetHandle {
    const flags = writeFlags.readWrite | writeFlags.create | writeFlags.exclusive;
    const always = openFlags.noFollow | openFlags.closeOnExec;
    return this.#open(parent, name, flags | always, unfinishedMode);
  }

  openFile(parent: TargetHandle, name: Uint8Array, access: "read" | "write"): TargetHandle {
    const always = openFlags.noFollow | openFlags.nonBlocking | openFlags.noControllingTerminal;
    const handle =
      access === "read"
        ? this.#openToRead(parent, name, always)
        : this.#open(parent, name, always | writeFlags.writeOnly | openFlags.closeOnExec, 0);
    this.#entries.askDescriptor(handle, name);
    if ((statxMode(this.#entries.statx) & modeType.mask) !== modeType.file) {
      this.close(handle);
      throw new FileError("EINVAL", "openat", textOf(name));
    }
    return handle;
  }

  /** Without touching the access time, where that is allowed: it may just have been restored. */
  #openToRead(parent: number, name: Uint8Array, flags: number): number {
    const opened = tryOpen(parent, this.#name.write(name), flags);
    if (typeof opened === "number") return opened;
    throw new FileError(opened, "openat", textOf(name));
  }

  openEntry(parent: TargetHandle, name: Uint8Array): TargetHandle {
    const flags = writeFlags.entry | openFlags.noFollow | openFlags.closeOnExec;
    return this.#open(parent, name, flags, 0);
  }

  #open(parent: number, name: Uint8Array, flags: number, mode: number): number {
    const address = this.#name.write(name);
    for (;;) {
      const handle = this.#libc.openat(parent, address, flags, mode);
      if (handle >= 0) return handle;
      const code = lastErrorName();
      if (code !== "EINTR") throw new FileError(code, "openat", textOf(name));
    }
  }

  close(handle: TargetHandle): void {
    this.#libc.close(handle);
  }

  write(
    file: TargetHandle,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void {
    const address = addressOf(bytes) + offset;
    for (let done = 0; done < length; ) {
      const written = this.#calls.pwrite(file, address + done, length - done, position + done);
      if (written > 0) done += written;
      else if (written === 0) throw new FileError("EIO", "pwrite", "");
      else {
        const code = lastErrorName();
        if (code !== "EINTR") throw new FileError(code, "pwrite", "");
      }
    }
  }

  read(
    file: TargetHandle,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const address = addressOf(buffer) + offset;
    let done = 0;
    while (done < length) {
      const got = this.#libc.pread(file, address + done, length - done, position + done);
      if (got === 0) break;
      if (got > 0) done += got;
      else {
        const code = lastErrorName();
        if (code !== "EINTR") throw new FileError(code, "pread", "");
      }
    }
    return done;
  }

  truncate(file: TargetHandle, sizeBytes: number): void {
    check(this.#calls.ftruncate(file, sizeBytes), "ftruncate", nothing);
  }

  stat(parent: TargetHandle, name: Uint8Array, record: Uint8Array, offset: number): void {
    this.#entries.stat(parent, name, nothing, record, offset);
  }

  statHandle(handle: TargetHandle, record: Uint8Array, offset: number): void {
    this.#entries.stat(handle, undefined, nothing, record, offset);
  }

  isMountPoint(parent: TargetHandle, name: Uint8Array): boolean {
    this.#entries.askEntry(parent, name, nothing);
    const { statx } = this.#entries;
    // Word 2: the attributes that are set; word 14: those that this kernel knows at all (5.8 and later).
    return (statx[14] & mountRoot) === 0 || (statx[2] & mountRoot) !== 0;
  }

  list(directory: TargetHandle): DirectoryListing {
    return this.#reader.list(directory, false, nothing);
  }

  readLink(parent: TargetHandle, name: Uint8Array): Uint8Array {
    return this.#entries.readLink(parent, name, nothing);
  }

  createSymlink(parent: TargetHandle, name: Uint8Array, target: Uint8Array): void {
    const address = this.#otherName.write(target);
    check(this.#calls.symlinkat(address, parent, this.#name.write(name)), "symlinkat", name);
  }

  createLink(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void {
    const from = this.#otherName.write(fromName);
    const to = this.#name.write(toName);
    check(this.#calls.linkat(fromParent, from, toParent, to, 0), "linkat", toName);
  }

  createSpecial(parent: TargetHandle, name: Uint8Array, mode: number, device: bigint): void {
    const address = this.#name.write(name);
    check(this.#calls.mknodat(parent, address, mode, Number(device)), "mknodat", name);
  }

  rename(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void {
    const from = this.#otherName.write(fromName);
    const to = this.#name.write(toName);
    check(this.#calls.renameat(fromParent, from, toParent, to), "renameat", toName);
  }

  removeFile(parent: TargetHandle, name: Uint8Array): void {
    check(this.#calls.unlinkat(parent, this.#name.write(name), 0), "unlinkat", name);
  }

  removeDirectory(parent: TargetHandle, name: Uint8Array): void {
    const address = this.#name.write(name);
    check(this.#calls.unlinkat(parent, address, removeDirectoryFlag), "unlinkat", name);
  }

  setOwner(handle: TargetHandle, uid: number, gid: number): void {
    const path = this.#name.write(nothing);
    check(this.#calls.fchownat(handle, path, uid, gid, emptyPathFlag), "fchownat", nothing);
  }

  setMode(handle: TargetHandle, permissions: number): void {
    if (this.#calls.fchmod(handle, permissions) >= 0) return;
    const code = lastErrorName();
    if (code !== "EBADF") throw new FileError(code, "fchmod", "");
    // A handle from openEntry: the kernel takes it through /proc, without looking at any name again.
    const path = this.#name.write(ownPath(handle));
    check(this.#calls.chmod(path, permissions), "chmod", nothing);
  }

  setTimes(
    handle: TargetHandle,
    accessSeconds: number,
    accessNanoseconds: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    writeTime(this.#times, 0, accessSeconds, accessNanoseconds);
    writeTime(this.#times, 16, seconds, nanoseconds);
    const times = this.#scratch.address;
    if (this.#calls.futimens(handle, times) >= 0) return;
    const code = lastErrorName();
    if (code !== "EBADF") throw new FileError(code, "futimens", "");
    const empty = this.#name.write(nothing);
    if (this.#calls.utimensat(handle, empty, times, emptyPathFlag) >= 0) return;
    // Kernels before 5.8 refuse an empty path.
    const path = this.#name.write(ownPath(handle));
    check(this.#calls.utimensat(currentDirectory, path, times, 0), "utimensat", nothing);
  }

  listAttributes(handle: TargetHandle): Uint8Array[] {
    return this.#attributes.list(handle);
  }

  getAttribute(handle: TargetHandle, name: Uint8Array): Uint8Array {
    return this.#attributes.get(handle, name);
  }

  setAttribute(handle: TargetHandle, name: Uint8Array, value: Uint8Array): void {
    this.#attributes.set(handle, name, value);
  }

  removeAttribute(handle: TargetHandle, name: Uint8Array): void {
    this.#attributes.remove(handle, name);
  }

  freeBytes(handle: TargetHandle): number {
    check(this.#calls.fstatfs(handle, this.#scratch.address), "fstatfs", nothing);
    const { words } = this.#scratch;
    // struct statfs: block size at byte 8, blocks for ordinary users at byte 32.
    return (words[8] + words[9] * 2 ** 32) * words[2];
  }

  flush(handle: TargetHandle): void {
    check(this.#calls.syncfs(handle), "syncfs", nothing);
  }
}

/** Path of an open descriptor of this process. */
function ownPath(handle: number): Uint8Array {
  return Buffer.from(`/proc/self/fd/${handle}`);
}

function check(result: number, call: string, name: Uint8Array): void {
  if (result < 0) throw new FileError(lastErrorName(), call, textOf(name));
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString();
}

/** One `struct timespec`; seconds may be negative. */
function writeTime(view: DataView, at: number, seconds: number, nanoseconds: number): void {
  view.setInt32(at, seconds | 0, true);
  view.setInt32(at + 4, Math.floor(seconds / 2 ** 32), true);
  view.setInt32(at + 8, nanoseconds, true);
  view.setInt32(at + 12, 0, true);
}

function makeFolders(path: Uint8Array): void {
  try {
    mkdirSync(Buffer.from(path), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new FileError(codeOf(error), "mkdir", textOf(path));
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "EIO";
}

/** By the effective capabilities: root in a container may lack them. */
function mayGiveAway(userId: number): boolean {
  try {
    const status = readFileSync("/proc/self/status", "latin1");
    const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    if (hex === undefined) return userId === 0;
    const low = Number.parseInt(hex.slice(-8), 16);
    return Object.values(capability).every((bit) => (low & (1 << bit)) !== 0);
  } catch {
    return userId === 0;
  }
}
