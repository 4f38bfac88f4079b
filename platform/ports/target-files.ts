/**
 * Writing a file system during a restore: everything synchronous, made for worker threads.
 *
 * A restore may run as root, on data that an attacker wrote, into a folder where another user changes
 * things at the same time. So nothing but the root is named by a path: each call names an entry by an open
 * directory and one component, never follows a symlink there, and metadata is set through an open handle.
 *
 * Names are raw bytes of one component. A failed call throws a `FileError` with the errno name.
 */

import type { DirectoryListing, DirectoryToken } from "./source-files.ts";

/** An open file or directory. Valid in the thread that opened it, until closed. */
export type TargetHandle = number;

/** What the system and the user of this process can do; the rest is reported, not tried. */
export interface TargetAbilities {
  /** May give entries to any owner, and set the setuid bits of others' files. */
  readonly ownership: boolean;
  /** Permission bits, owners and groups mean something here. */
  readonly modes: boolean;
  readonly symlinks: boolean;
  readonly extendedAttributes: boolean;
  /** Fifos and device nodes (devices need `ownership` as well). */
  readonly specialFiles: boolean;
  /** The race-free walk of this header; without it only symlinks that stand still are refused. */
  readonly anchored: boolean;
}

/** One per thread. */
export interface TargetFiles {
  readonly abilities: TargetAbilities;
  /** Effective ids of this process: owner and group of what it creates. 0 where there are none. */
  readonly userId: number;
  readonly groupId: number;

  /**
   * Opens the folder that a restore goes to. The user gave this path, so symlinks in it are followed.
   * With `create` missing folders are made, for the owner only.
   */
  openRoot(path: Uint8Array, create: boolean): TargetHandle;
  /** Names an open directory, so that another thread can open the same one while this handle is open. */
  tokenOf(directory: TargetHandle): DirectoryToken;
  openToken(token: DirectoryToken): TargetHandle;
  /**
   * Opens a directory below `parent`: `path` is one or more components joined by `/`. No component may be a
   * symlink (ELOOP) or `..` (EXDEV); ENOTDIR if one is no directory.
   */
  openDirectory(parent: TargetHandle, path: Uint8Array): TargetHandle;
  /** Makes a directory for the owner only. EEXIST if the name is taken. */
  createDirectory(parent: TargetHandle, name: Uint8Array): void;
  /**
   * Makes a regular file, open for reading and writing, with `unfinishedMode`. EEXIST if the name is taken,
   * be it by a symlink to nowhere.
   */
  createFile(parent: TargetHandle, name: Uint8Array): TargetHandle;
  /** Opens a regular file, never blocking: ELOOP on a symlink, EINVAL on anything else that is no regular file. */
  openFile(parent: TargetHandle, name: Uint8Array, access: "read" | "write"): TargetHandle;
  /** Opens an entry of any kind, a symlink itself, for its metadata only. */
  openEntry(parent: TargetHandle, name: Uint8Array): TargetHandle;
  close(handle: TargetHandle): void;

  /** Writes all of `bytes[offset, offset + length)` at `position`. */
  write(
    file: TargetHandle,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): void;
  /** Returns the bytes read, short only at the end of the file. */
  read(
    file: TargetHandle,
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): number;
  /** Sets the size; what is added reads as zeros and takes no space where the file system can do that. */
  truncate(file: TargetHandle, sizeBytes: number): void;

  /** Writes the record (stat-record.ts) of an entry to `record` at `offset`. Never follows a symlink. */
  stat(parent: TargetHandle, name: Uint8Array, record: Uint8Array, offset: number): void;
  statHandle(handle: TargetHandle, record: Uint8Array, offset: number): void;
  /** True if another file system is mounted on this entry, or if that can't be told. */
  isMountPoint(parent: TargetHandle, name: Uint8Array): boolean;
  list(directory: TargetHandle): DirectoryListing;
  readLink(parent: TargetHandle, name: Uint8Array): Uint8Array;

  createSymlink(parent: TargetHandle, name: Uint8Array, target: Uint8Array): void;
  /** Gives the entry `fromName` a second name. If `fromName` is a symlink, the symlink itself. */
  createLink(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void;
  /** Makes a fifo or device node; `mode` holds the type bits, `device` the kernel's 64-bit encoding. */
  createSpecial(parent: TargetHandle, name: Uint8Array, mode: number, device: bigint): void;
  /** Moves an entry; replaces what `toName` names, as rename(2) does. EXDEV across file systems. */
  rename(
    fromParent: TargetHandle,
    fromName: Uint8Array,
    toParent: TargetHandle,
    toName: Uint8Array,
  ): void;
  /** Removes anything but a directory. */
  removeFile(parent: TargetHandle, name: Uint8Array): void;
  /** Removes an empty directory. */
  removeDirectory(parent: TargetHandle, name: Uint8Array): void;

  /** Numeric ids below 2^32 - 1. Clears setuid bits and capabilities, as the system does. */
  setOwner(handle: TargetHandle, uid: number, gid: number): void;
  /** Permission bits 0 … 07777. Not for symlinks. */
  setMode(handle: TargetHandle, permissions: number): void;
  /** Seconds since 1970 may be negative; nanoseconds 0 … 999999999. The file system may clamp. */
  setTimes(
    handle: TargetHandle,
    accessSeconds: number,
    accessNanoseconds: number,
    seconds: number,
    nanoseconds: number,
  ): void;
  /** Raw names of all extended attributes; empty where the file system has none. */
  listAttributes(handle: TargetHandle): Uint8Array[];
  /** ERANGE-free: at most 64 KiB of value, as on Linux. */
  getAttribute(handle: TargetHandle, name: Uint8Array): Uint8Array;
  setAttribute(handle: TargetHandle, name: Uint8Array, value: Uint8Array): void;
  removeAttribute(handle: TargetHandle, name: Uint8Array): void;

  /** Bytes that this process may still write to the file system of `handle`. */
  freeBytes(handle: TargetHandle): number;
  /** Writes everything of the file system of `handle` to its device, and waits. */
  flush(handle: TargetHandle): void;
}

/**
 * Permission bits of a file whose content is not complete yet: the owner may write, nobody may read. The
 * final bits are set as the very last step, so that a restore that was killed can tell what it had finished.
 */
export const unfinishedMode = 0o200;
