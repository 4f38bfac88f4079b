/** A snapshot: one backup of some paths at one time (docs/repository-format.md, "Snapshots"). */
import type { NodeTime } from "../tree/node.ts";
import { timeText } from "../tree/rfc3339.ts";

/** An instant with the text that stands for it, which may name another time zone than UTC. */
export interface SnapshotTime extends NodeTime {
  /** RFC 3339 with up to nine digits of a second, as it is stored. */
  readonly text: string;
}

/** Counts of one backup. What an older or another program did not write is absent. */
export interface SnapshotSummary {
  readonly backupStart?: SnapshotTime;
  readonly backupEnd?: SnapshotTime;
  readonly filesNew?: number;
  readonly filesChanged?: number;
  readonly filesUnmodified?: number;
  readonly dirsNew?: number;
  readonly dirsChanged?: number;
  readonly dirsUnmodified?: number;
  readonly dataBlobs?: number;
  readonly treeBlobs?: number;
  /** Bytes of new blobs, plain. */
  readonly dataAdded?: number;
  /** Bytes of new blobs as stored, sealed and compressed. */
  readonly dataAddedPacked?: number;
  readonly totalFilesProcessed?: number;
  /** Sum of the sizes of all files. */
  readonly totalBytesProcessed?: number;
}

export interface Snapshot {
  /** When the backup began; snapshots are ordered and kept by it. Year 1 if it was not written. */
  readonly time: SnapshotTime;
  /** Id of the snapshot that unchanged files were compared with, 32 bytes. */
  readonly parent?: Uint8Array;
  /** Id of the root tree, 32 bytes. */
  readonly tree: Uint8Array;
  /** Absolute paths of what was backed up, as given. Bytes that are not UTF-8 are U+FFFD in them. */
  readonly paths: readonly string[];
  /** Empty if unknown. */
  readonly hostname: string;
  /** Empty if unknown. */
  readonly username: string;
  /** u32; 0 where there is none. */
  readonly uid: number;
  /** u32; 0 where there is none. */
  readonly gid: number;
  readonly excludes: readonly string[];
  /** No tag holds a comma when we write it. */
  readonly tags: readonly string[];
  /** Id of the snapshot that this one was made from by a rewrite, 32 bytes. */
  readonly original?: Uint8Array;
  /** Name and version of the program that wrote it; empty if unknown. */
  readonly programVersion: string;
  readonly summary?: SnapshotSummary;
}

/** A time as we write it: UTC. Years are clamped to 0 … 9999. */
export function snapshotTime(seconds: number, nanoseconds: number): SnapshotTime {
  return { seconds, nanoseconds, text: timeText({ seconds, nanoseconds }) };
}
