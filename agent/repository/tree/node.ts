/** One entry of a tree, as restic-format repositories store it (docs/repository-format.md, "Trees"). */

export const nodeTypes = ["file", "dir", "symlink", "dev", "chardev", "fifo", "socket"] as const;
export type NodeType = (typeof nodeTypes)[number];

/** A point in time: whole seconds since 1970 (may be negative, years 0 … 9999) and nanoseconds 0 … 999999999. */
export interface NodeTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

export interface NodeAttribute {
  /** Raw bytes of the attribute's full name. */
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface Node {
  /** Raw bytes of the name, one path component. */
  readonly name: Uint8Array;
  readonly type: NodeType;
  /** Go's FileMode number: permission bits and Go's own type bits (u32). */
  readonly mode: number;
  readonly mtime: NodeTime;
  readonly atime: NodeTime;
  readonly ctime: NodeTime;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** u64; 0 if unknown. */
  readonly inode: bigint;
  /** u64; 0 if unknown. */
  readonly deviceId: bigint;
  /** Bytes of a file; 0 for everything else. A safe integer. */
  readonly size: number;
  /** Number of hard links, 0 if unknown. */
  readonly links: bigint;
  /** Raw bytes of a symlink's target; empty for everything else. */
  readonly linkTarget: Uint8Array;
  readonly attributes: readonly NodeAttribute[];
  /** Windows attributes: raw JSON text of each value by key; absent elsewhere. */
  readonly genericAttributes?: ReadonlyMap<string, string>;
  /** Device number of device nodes, else 0. */
  readonly device: bigint;
  /** Ids of a file's blobs, 32 bytes each, concatenated; null for everything that is no file. */
  readonly content: Uint8Array | null;
  /** Id of a directory's tree, 32 bytes; null for everything else. */
  readonly subtree: Uint8Array | null;
}
