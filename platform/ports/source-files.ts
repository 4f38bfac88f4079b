/**
 * Reading a live file system for a backup: everything synchronous, made for worker threads.
 *
 * Names and paths are raw bytes. Nothing follows a symlink below a root. A failed call throws a
 * `FileError`, which carries the system's error name (`ENOENT`, `EACCES` …). Interrupted calls are repeated inside.
 */

/**
 * A failed system call: `code` is the errno name, `call` the system call. `path` is text for people: bytes that are no
 * UTF-8 are replaced, control characters are not.
 */
export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: string;
  readonly call: string;
  readonly path: string;
  constructor(code: string, call: string, path: string) {
    super(`${call} ${path}: ${code}`);
    this.code = code;
    this.call = call;
    this.path = path;
  }
}

export interface ExtendedAttribute {
  /** Raw bytes of the full name with its namespace, such as `user.comment`. */
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

/** What one listing returned, sorted ascending by raw name bytes, each name once, without `.` and `..`. */
export interface DirectoryListing {
  readonly count: number;
  /** All names, one after the other. */
  readonly names: Uint8Array;
  /** `count + 1` offsets into `names`. */
  readonly offsets: Uint32Array;
  /** Names that the system returned more than once; each was kept once. */
  readonly duplicates: number;
}

/**
 * An open directory. `token` may be given to another thread of this process, which opens files in the
 * directory with it while this handle is open. Once it is closed the token may name something else: never use it then.
 * A name is one component; a zero byte in it is refused with EINVAL.
 */
export interface SourceDirectory {
  readonly path: Uint8Array;
  readonly token: DirectoryToken;
  /**
   * Reads the directory as it is now, from its beginning, each time. ENOENT if it was removed, EACCES if this account
   * may not read it: opening and looking up names need only the right to enter it.
   */
  list(): DirectoryListing;
  /** Writes the record of entry `name` (of the directory itself if undefined) to `record` at `offset`. Never follows a symlink. */
  stat(name: Uint8Array | undefined, record: Uint8Array, offset: number): void;
  readLink(name: Uint8Array): Uint8Array;
  /**
   * Of the entry (of a symlink itself), or of the directory if undefined, in the order of the system. Empty where the
   * file system has none or denies them all; single ones that vanished or are denied are left out.
   */
  extendedAttributes(name: Uint8Array | undefined): ExtendedAttribute[];
  /** Opens a subdirectory; ENOTDIR or ELOOP if it is no directory any more. */
  openDirectory(name: Uint8Array): SourceDirectory;
  close(): void;
}

/** Names an open directory across threads: a descriptor where the system has them, and its path. */
export interface DirectoryToken {
  readonly descriptor: number;
  readonly path: Uint8Array;
}

/** A run of bytes of a file: data, or a hole that reads as zeros. */
export interface FileExtent {
  readonly kind: "data" | "hole";
  readonly offset: number;
  readonly length: number;
}

/** A regular file open for reading, without touching its access time where the system allows. */
export interface SourceFile {
  /**
   * Fills `buffer[offset, offset + length)` from `position`; returns the bytes read, short only at the end of the file.
   * The buffer may be shared. RangeError if the range lies outside of it.
   */
  read(buffer: Uint8Array, offset: number, length: number, position: number): number;
  /**
   * Writes the file's record as it is now. The first call, if nothing was read before it, may tell how the file was
   * when it was opened, and then costs nothing.
   */
  stat(record: Uint8Array, offset: number): void;
  /** As `SourceDirectory.extendedAttributes`. */
  extendedAttributes(): ExtendedAttribute[];
  /**
   * The extent that begins at `offset`, at most up to `end`. A system that can't tell says `data`, and so is called what
   * lies beyond the end of the file: only `read` finds that out.
   */
  extentAt(offset: number, end: number): FileExtent;
  close(): void;
}

/** How a file system likes to be read. */
export interface SourceMedium {
  /** How many files may usefully be read at once. */
  readonly readers: number;
  /** `pseudo` file systems (proc, sysfs …) hold nothing to back up. */
  readonly kind: "rotating" | "solid" | "network" | "pseudo" | "unknown";
}

/** One per thread. */
export interface SourceFiles {
  /** Opens `path` (absolute, or relative to the working directory) as given: a symlink as the last component is not followed. */
  openDirectory(path: Uint8Array): SourceDirectory;
  /**
   * Opens a regular file; never blocks on a fifo and never follows a symlink. ELOOP if it is a symlink, EINVAL if it is
   * anything else but a regular file. The caller compares the record with what it knew before (`SourceFile.stat`).
   */
  openFile(directory: DirectoryToken, name: Uint8Array): SourceFile;
  /** Lists entry metadata of a path as `SourceDirectory.stat` does. */
  stat(path: Uint8Array, record: Uint8Array, offset: number): void;
  readLink(path: Uint8Array): Uint8Array;
  extendedAttributes(path: Uint8Array): ExtendedAttribute[];
  /** Medium of the file system that holds `path`. */
  medium(path: Uint8Array): SourceMedium;
  /** How many files this process may have open at once, by a cautious guess where the system does not tell. */
  openFilesMax(): number;
  /** Name of a user or group id, empty if the system knows none. Cached. */
  userName(uid: number): string;
  groupName(gid: number): string;
}
