/**
 * The target port on Node's own file calls, for systems without an adapter of their own. Entries are named
 * by paths, so a symlink that stands in the way is refused, but not one that somebody puts there between
 * look and use (docs/platforms.md). Times are exact to about a microsecond; there are no extended attributes.
 */
import * as fs from "node:fs";
import { type DirectoryListing, type DirectoryToken, FileError } from "../ports/source-files.ts";
import {
  type TargetAbilities,
  type TargetFiles,
  type TargetHandle,
  unfinishedMode,
} from "../ports/target-files.ts";
import { callNode, childPath, nodePath, withoutTrailingSeparators } from "./node-path.ts";
import { NodeSourceDirectory, readNodeLink, statNodePath } from "./node-source-directory.ts";
import { encodeStats } from "./stat-encoder.ts";

interface OpenEntry {
  readonly path: Uint8Array;
  readonly kind: "directory" | "file" | "entry";
  /** -1 for what Node does not open. */
  readonly descriptor: number;
}

const isWindows = process.platform === "win32";
const slash = 0x2f;
const backslash = 0x5c;
/** 0 where the system has no such flag: there a look before the call must do. */
const noFollow = fs.constants.O_NOFOLLOW ?? 0;
const nonBlock = fs.constants.O_NONBLOCK ?? 0;

export class NodeTargetFiles implements TargetFiles {
  readonly abilities: TargetAbilities = {
    ownership: !isWindows && process.geteuid?.() === 0,
    modes: !isWindows,
    symlinks: !isWindows,
    extendedAttributes: false,
    specialFiles: false,
    anchored: false,
  };
  readonly userId: number = process.geteuid?.() ?? 0;
  readonly groupId: number = process.getegid?.() ?? 0;
  readonly #open: (OpenEntry | undefined)[] = [];

  openRoot(path: Uint8Array, create: boolean): TargetHandle {
    const root = withoutTrailingSeparators(path);
    return callNode(root, () => {
      if (create) fs.mkdirSync(nodePath(root), { recursive: true, mode: 0o700 });
      const real = fs.realpathSync(nodePath(root), { encoding: "buffer" });
      if (!fs.statSync(nodePath(real)).isDirectory())
        throw new FileError("ENOTDIR", "open", Buffer.from(root).toString());
      return this.#add({ path: real, kind: "directory", descriptor: -1 });
    });
  }

  tokenOf(directory: TargetHandle): DirectoryToken {
    return { descriptor: -1, path: this.#entry(directory).path };
  }

  openToken(token: DirectoryToken): TargetHandle {
    assertDirectory(token.path);
    return this.#add({ path: token.path, kind: "directory", descriptor: -1 });
  }

  openDirectory(parent: TargetHandle, path: Uint8Array): TargetHandle {
    let at = this.#entry(parent).path;
    let from = 0;
    for (;;) {
      const end = path.indexOf(slash, from);
      const name = path.subarray(from, end < 0 ? path.length : end);
      at = this.#child(at, name);
      assertDirectory(at);
      if (end < 0) return this.#add({ path: at, kind: "directory", descriptor: -1 });
      from = end + 1;
    }
  }

  createDirectory(parent: TargetHandle, name: Uint8Array): void {
    const path = this.#path(parent, name);
    callNode(path, () => fs.mkdirSync(nodePath(path), { mode: 0o700 }));
  }

  createFile(parent: TargetHandle, name: Uint8Array): TargetHandle {
    const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
    const flags = O_RDWR | O_CREAT | O_EXCL | noFollow;
    return this.#openDescriptor(this.#path(parent, name), flags, "file");
  }

  openFile(parent: TargetHandle, name: Uint8Array, access: "read" | "write"): TargetHandle {
    const path = this.#path(parent, name);
    const stats = callNode(path, () => fs.lstatSync(nodePath(path)));
    if (stats.isSymbolicLink()) throw new FileError("ELOOP", "open", textOf(path));
    const { O_RDONLY, O_WRONLY } = fs.constants;
    const flags = (access === "read" ? O_RDONLY : O_WRONLY) | noFollow | nonBlock;
    if (!stats.isFile()) throw new FileError("EINVAL", "open", textOf(path));
    const handle = this.#openDescriptor(path, flags, "file");
    const opened = callNode(path, () => fs.fstatSync(this.#entry(handle).descriptor));
    if (opened.isFile()) return handle;
    this.close(handle);
    throw new FileError("EINVAL", "open", textOf(path));
  }

  openEntry(parent: TargetHandle, name: Uint8Array): TargetHandle {
    const path = this.#path(parent, name);
    callNode(path, () => fs.lstatSync(nodePath(path)));
    return this.#add({ path, kind: "entry", descriptor: -1 });
  }

  close(handle: TargetHandle): void {
    const { path, descriptor } = this.#entry(handle);
    this.#open[handle] = undefined;
    if (descriptor >= 0) callNode(path, () => fs.closeSync(descriptor));
  }

  write(
    file: TargetHandle,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void {
    const { path, descriptor } = this.#entry(file);
    callNode(path, () => {
      for (let done = 0; done < length; )
        done += fs.writeSync(descriptor, bytes, offset + done, length - done, position + done);
    });
  }

  read(
    file: TargetHandle,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number {
    const { path, descriptor } = this.#entry(file);
    return callNode(path, () => {
      let done = 0;
      while (done < length) {
        const at = position + done;
        const got = fs.readSync(descriptor, buffer, offset + done, length - done, at);
        if (got === 0) break;
        done += got;
      }
      return done;
    });
  }

  truncate(file: TargetHandle, sizeBytes: number): void {
    const { path, descriptor } = this.#entry(file);
    callNode(path, () => fs.ftruncateSync(descriptor, sizeBytes));
  }

  stat(parent: TargetHandle, name: Uint8Array, record: Uint8Array, offset: number): void {
    statNodePath(this.#path(parent, name), record, offset);
  }

  statHandle(handle: TargetHandle, record: Uint8Array, offset: number): void {
    const { path, descriptor } = this.#entry(handle);
    if (descriptor < 0) statNodePath(path, record, offset);
    else {
      const stats = callNode(path, () => fs.fstatSync(descriptor, { bigint: true }));
      encodeStats(stats, record, offset);
    }
  }

  isMountPoint(parent: TargetHandle, name: Uint8Array): boolean {
    const path = this.#path(parent, name);
    return callNode(path, () => {
      const own = fs.lstatSync(nodePath(path), { bigint: true });
      const above = fs.lstatSync(nodePath(this.#entry(parent).path), { bigint: true });
      return own.dev !== above.dev;
    });
  }

  list(directory: TargetHandle): DirectoryListing {
    return new NodeSourceDirectory(this.#entry(directory).path).list();
  }

  readLink(parent: TargetHandle, name: Uint8Array): Uint8Array {
    return readNodeLink(this.#path(parent, name));
  }

  createSymlink(parent: TargetHandle, name: Uint8Array, target: Uint8Array): void {
    const path = this.#path(parent, name);
    callNode(path, () => fs.symlinkSync(nodePath(target), nodePath(path)));
  }

  createLink(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void {
    const from = this.#path(fromParent, fromName);
    const to = this.#path(toParent, toName);
    callNode(to, () => fs.linkSync(nodePath(from), nodePath(to)));
  }

  createSpecial(_parent: TargetHandle, name: Uint8Array, _mode: number, _device: bigint): void {
    throw new FileError("ENOTSUP", "mknod", textOf(name));
  }

  rename(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void {
    const from = this.#path(fromParent, fromName);
    const to = this.#path(toParent, toName);
    callNode(to, () => fs.renameSync(nodePath(from), nodePath(to)));
  }

  removeFile(parent: TargetHandle, name: Uint8Array): void {
    const path = this.#path(parent, name);
    callNode(path, () => fs.unlinkSync(nodePath(path)));
  }

  removeDirectory(parent: TargetHandle, name: Uint8Array): void {
    const path = this.#path(parent, name);
    callNode(path, () => fs.rmdirSync(nodePath(path)));
  }

  setOwner(handle: TargetHandle, uid: number, gid: number): void {
    const { path, descriptor } = this.#entry(handle);
    callNode(path, () => {
      if (descriptor >= 0) fs.fchownSync(descriptor, uid, gid);
      else fs.lchownSync(nodePath(path), uid, gid);
    });
  }

  setMode(handle: TargetHandle, permissions: number): void {
    const { path, descriptor, kind } = this.#entry(handle);
    callNode(path, () => {
      if (descriptor >= 0) fs.fchmodSync(descriptor, permissions);
      else {
        if (kind === "directory") assertDirectory(path);
        fs.chmodSync(nodePath(path), permissions);
      }
    });
  }

  setTimes(
    handle: TargetHandle,
    accessSeconds: number,
    accessNanoseconds: number,
    seconds: number,
    nanoseconds: number,
  ): void {
    const { path, descriptor } = this.#entry(handle);
    const access = nodeTime(accessSeconds, accessNanoseconds);
    const change = nodeTime(seconds, nanoseconds);
    callNode(path, () => {
      if (descriptor >= 0) fs.futimesSync(descriptor, access, change);
      else fs.lutimesSync(nodePath(path), access, change);
    });
  }

  listAttributes(_handle: TargetHandle): Uint8Array[] {
    return [];
  }

  getAttribute(_handle: TargetHandle, name: Uint8Array): Uint8Array {
    throw new FileError("ENOTSUP", "getxattr", textOf(name));
  }

  setAttribute(_handle: TargetHandle, name: Uint8Array, _value: Uint8Array): void {
    throw new FileError("ENOTSUP", "setxattr", textOf(name));
  }

  removeAttribute(_handle: TargetHandle, name: Uint8Array): void {
    throw new FileError("ENOTSUP", "removexattr", textOf(name));
  }

  freeBytes(handle: TargetHandle): number {
    const { path } = this.#entry(handle);
    return callNode(path, () => {
      const { bavail, bsize } = fs.statfsSync(nodePath(path));
      return bavail * bsize;
    });
  }

  flush(_handle: TargetHandle): void {
    throw new FileError("ENOTSUP", "syncfs", "");
  }

  #openDescriptor(path: Uint8Array, flags: number, kind: "file"): TargetHandle {
    const descriptor = callNode(path, () => fs.openSync(nodePath(path), flags, unfinishedMode));
    return this.#add({ path, kind, descriptor });
  }

  #add(entry: OpenEntry): TargetHandle {
    const free = this.#open.indexOf(undefined);
    const handle = free < 0 ? this.#open.length : free;
    this.#open[handle] = entry;
    return handle;
  }

  #entry(handle: TargetHandle): OpenEntry {
    const entry = this.#open[handle];
    if (entry === undefined) throw new FileError("EBADF", "use", "");
    return entry;
  }

  #path(parent: TargetHandle, name: Uint8Array): Uint8Array {
    return this.#child(this.#entry(parent).path, name);
  }

  /** A name with a separator in it would be a path. */
  #child(parent: Uint8Array, name: Uint8Array): Uint8Array {
    if (name.includes(slash) || (isWindows && name.includes(backslash)))
      throw new FileError("EINVAL", "open", textOf(name));
    if (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e)
      throw new FileError("EXDEV", "open", textOf(name));
    return childPath(parent, name);
  }
}

function assertDirectory(path: Uint8Array): void {
  const stats = callNode(path, () => fs.lstatSync(nodePath(path)));
  if (stats.isDirectory()) return;
  throw new FileError(stats.isSymbolicLink() ? "ELOOP" : "ENOTDIR", "open", textOf(path));
}

/** Node takes a negative number for the present, but not a date before 1970. */
function nodeTime(seconds: number, nanoseconds: number): number | Date {
  if (seconds < 0) return new Date(seconds * 1000 + Math.round(nanoseconds / 1e6));
  return seconds + nanoseconds / 1e9;
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name).toString();
}
