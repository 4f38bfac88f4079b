/**
 * A fixed binary record of one entry's metadata (what lstat says), 88 bytes little endian, so that a
 * scan of millions of entries makes no objects and unchanged entries are found by comparing bytes.
 */
export const statRecordBytes = 88;

/** Byte offsets inside a record. u64 fields are two u32 words, low word first. */
export const statAt = {
  /** u32: st_mode with type bits (S_IFMT) as on Linux, on every system. */
  mode: 0,
  /** u32 */
  uid: 4,
  /** u32 */
  gid: 8,
  /** u32: nanoseconds of mtime, 0 … 999999999 */
  mtimeNs: 12,
  /** u32: nanoseconds of ctime */
  ctimeNs: 16,
  /** u32: number of hard links (capped at 2^32-1) */
  links: 20,
  /** u64 */
  inode: 24,
  /** u64: size in bytes; 0 for everything but files and symlinks */
  size: 32,
  /** i64: seconds of mtime since 1970, may be negative */
  mtime: 40,
  /** i64: seconds of ctime */
  ctime: 48,
  /** u64: device number of device nodes (st_rdev as the kernel's 64-bit encoding), else 0 */
  rdev: 56,
  /** u64: st_dev of the file system it lies on, encoded like rdev; may differ after every mount */
  device: 64,
  /**
   * u64: 512-byte blocks in use. May change without any other field (a file system that allocates late), so
   * it says nothing about whether an entry changed.
   */
  blocks: 72,
  /** u32: inode flags worth knowing (see `statFlags`); the four bytes after it are 0 */
  flags: 80,
} as const;

/** Bits of `flags`: what a restore or a report may want to know. 0 where the system does not say. */
export const statFlags = {
  compressed: 0x1,
  /** May not be changed at all (`chattr +i`). */
  immutable: 0x2,
  appendOnly: 0x4,
  /** Its owner asks dump programs to leave it out (`chattr +d`). */
  noDump: 0x8,
  /** Encrypted by the file system; names and contents are only right while the key is loaded. */
  encrypted: 0x10,
  verity: 0x20,
} as const;

/** File type bits of `mode`. */
export const modeType = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  file: 0o100000,
  blockDevice: 0o060000,
  directory: 0o040000,
  charDevice: 0o020000,
  fifo: 0o010000,
} as const;
