/** What a backup is asked for, and what it tells. */
import type { Immutability } from "../../protocol/immutability.ts";
import type { CompressionMode } from "../repository/blob/compression.ts";
import type { SelectionOptions } from "./select/selection-options.ts";

export interface BackupRequest {
  /** Paths to back up, raw bytes, absolute or relative to the working directory. */
  readonly paths: readonly Uint8Array[];
  readonly hostName: string;
  /** None holds a comma. */
  readonly tags: readonly string[];
  /** Time of the snapshot; now if absent. */
  readonly timeMs?: number;
  readonly selection: SelectionOptions;
  /** Patterns as given, for the snapshot's record. */
  readonly excludes?: readonly string[];
  /** Hex id of the snapshot to compare with; `none` reads every file. Default: the newest of the same host and paths. */
  readonly parent?: string;
  readonly compression: CompressionMode;
  /** Files read at once; default: what the medium likes. */
  readonly readers?: number;
  readonly dryRun: boolean;
  /** Saves no snapshot if the tree is the parent's. */
  readonly skipIfUnchanged?: boolean;
  /** Locks the snapshot and what it needs; the repository's store must lock what it saves likewise (`ruleOfObjects`). */
  readonly immutability?: Immutability | undefined;
  /** How long to wait for other sessions' locks. */
  readonly lockWaitMs: number;
}

/** Something of the source that could not be backed up, or not consistently. */
export interface BackupIssue {
  /** Raw bytes as text, U+FFFD for what is not UTF-8. */
  readonly path: string;
  readonly during: "scan" | "archival";
  /** The system's error name, or `CHANGED`. */
  readonly code: string;
  readonly message: string;
}

export interface BackupProgress {
  readonly filesDone: number;
  readonly bytesDone: number;
  /** Known once the scan is through; before, the parent's totals where there is a parent. */
  readonly filesTotal: number | undefined;
  readonly bytesTotal: number | undefined;
  readonly currentFiles: readonly string[];
  readonly issues: number;
  readonly elapsedMs: number;
}

/** Something about the repository that somebody should look at. */
export interface BackupWarning {
  /** Of the repository's files, such as `snapshots/ab…`. */
  readonly item: string;
  /**
   * `LATEST_GONE`: the last restore point of this source, by what this machine remembers, is not there or can't be read.
   * `LOCKS_SHORT`: not everything that the new restore point needs could be locked for as long as it should be.
   */
  readonly code: "LATEST_GONE" | "LOCKS_SHORT";
  readonly message: string;
}

/** Something that is left out, or stored as an empty folder, although no rule of the request says so. */
export interface BackupOmission {
  /** Raw bytes as text, U+FFFD for what is not UTF-8. */
  readonly path: string;
  readonly reason: "own-place" | "loop" | "pseudo-file-system";
}

/** A file or folder of the new snapshot, and what it took to bring it there. */
export interface BackupEntry {
  readonly action: "new" | "modified" | "unchanged";
  /** Raw, as in the snapshot; of a folder with a slash at its end. */
  readonly path: Uint8Array;
  /** Bytes of new blobs: content of a file, metadata of a folder. */
  readonly addedBytes: number;
  /** The same as stored. */
  readonly storedBytes: number;
  readonly durationMs: number;
}

export interface BackupEvents {
  /** Called several times a second. */
  progress?(progress: BackupProgress): void;
  issue?(issue: BackupIssue): void;
  omission?(omission: BackupOmission): void;
  warning?(warning: BackupWarning): void;
  /** Told of each file and folder, some at once; the backup waits if it does not resolve. Without it nothing is gathered. */
  entries?(entries: readonly BackupEntry[]): Promise<void>;
}

export interface BackupSummary {
  /** Hex; undefined for a dry run, or if nothing changed and that was to be skipped. */
  readonly snapshotId: string | undefined;
  /** Until when the snapshot and what it needs can't be removed; absent if it was not to be locked, or is not. */
  readonly lockedUntilMs?: number | undefined;
  /** Hex. */
  readonly parentId: string | undefined;
  readonly filesNew: number;
  readonly filesChanged: number;
  readonly filesUnmodified: number;
  readonly dirsNew: number;
  readonly dirsChanged: number;
  readonly dirsUnmodified: number;
  readonly dataBlobs: number;
  readonly treeBlobs: number;
  /** Bytes of new blobs. */
  readonly dataAdded: number;
  /** The same as stored. */
  readonly dataAddedPacked: number;
  readonly totalFilesProcessed: number;
  readonly totalBytesProcessed: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly issues: number;
  /** Bytes read from files. */
  readonly bytesRead: number;
  /** Bytes of packs and index files sent to the store. */
  readonly bytesStored: number;
  /** Packs of an interrupted run that were taken over. */
  readonly packsRecovered: number;
}
