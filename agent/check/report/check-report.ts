/** What a check tells: problems, which are errors; hints, which are not; progress; and the result. */

/** Kinds of problems. Names are never changed and never reused. */
export const problemKinds = [
  /** A key file can't be used. */
  "key-damaged",
  /** An index file can't be read: everything that only it lists is missing. */
  "index-damaged",
  /** A pack that the index lists is not stored. */
  "pack-missing",
  /** A stored pack is shorter or longer than the index says. */
  "pack-size",
  /** The index lists the blobs of a pack with gaps or overlaps. */
  "pack-layout",
  /** Two index files list different blobs for one pack. */
  "pack-split",
  /** A pack is not what its name says, or its header or a blob in it is damaged, or the index lies about it. */
  "pack-damaged",
  /** A pack was read wrong once and right the second time: memory, cable, disk or network can't be trusted. */
  "pack-unstable",
  /** A blob is too large to be opened within the memory that a check may take. */
  "blob-too-large",
  /** A snapshot file can't be read. */
  "snapshot-damaged",
  /** A tree that a snapshot or a directory needs is in no index. */
  "tree-missing",
  /** The bytes of a tree are no tree. */
  "tree-malformed",
  /** Names of a tree do not ascend. */
  "node-order",
  /** A tree has a name twice. */
  "node-duplicate",
  /** A name is empty, `.`, `..`, or holds a slash or a NUL. */
  "node-name",
  /** A file without content, a directory without tree, or content where none belongs. */
  "node-shape",
  /** A node of a type that is not known. */
  "node-type",
  /** The content of a file is in no index. */
  "blob-missing",
  /** A file names a tree as its content, or a directory names data as its tree. */
  "blob-type",
  /** The size of a file is not the sum of its content. */
  "file-size",
] as const;
export type CheckProblemKind = (typeof problemKinds)[number];

/** What a problem was found in. */
export interface CheckedObject {
  readonly type: "key" | "index" | "pack" | "snapshot" | "tree";
  /** 64 hex digits. */
  readonly id: string;
}

/** A problem at the moment when it is found. */
export interface CheckFinding {
  readonly kind: CheckProblemKind;
  readonly object: CheckedObject;
  /** What exactly is wrong: at most `detailsMax` texts. Names in them are quoted; other texts may come from the repository. */
  readonly details: readonly string[];
}

/** A place that a problem hurts. */
export interface HurtPath {
  /** Hex id of the newest snapshot in which the path was found to be hurt. */
  readonly snapshot: string;
  /** Raw bytes of the absolute path in the snapshot. `/` is the snapshot as a whole. */
  readonly path: Uint8Array;
}

/** What a problem costs. */
export interface Harm {
  /** Hex ids of the snapshots that are hurt, newest first: at most `listedMax`. */
  readonly snapshots: readonly string[];
  readonly snapshotCount: number;
  /** At most `listedMax`. A directory stands for everything below it. */
  readonly paths: readonly HurtPath[];
  /** Paths that differ, or are the same with other content in an older snapshot. */
  readonly pathCount: number;
  /** False if there may be more than was counted: looking further would have taken too long. */
  readonly isComplete: boolean;
}

/** A problem with what it costs. */
export interface CheckProblem extends CheckFinding {
  readonly harm: Harm;
}

/** Something odd that costs nothing, or only space. */
export interface CheckHint {
  readonly kind: "orphaned-packs" | "packs-indexed-twice" | "mixed-packs" | "lock-lost";
  readonly count: number;
  /** Stored bytes that it is about; 0 where that says nothing. */
  readonly bytes: number;
  /** Hex ids, at most `examplesMax`. */
  readonly examples: readonly string[];
}

export interface CheckProgress {
  /** In the order in which they come; `damage` only if something was found. */
  readonly phase: "snapshots" | "index" | "packs" | "data" | "damage";
  /** Files, packs or trees of this phase. */
  readonly done: number;
  /** 0 while it is not known. */
  readonly total: number;
  /** Stored bytes of this phase. */
  readonly bytesDone: number;
  /** 0 while it is not known. */
  readonly bytesTotal: number;
  /** Problems found up to now. */
  readonly problems: number;
}

export interface CheckEvents {
  readonly progress?: (progress: CheckProgress) => void;
  /** Told of each problem as soon as it is found. */
  readonly found?: (finding: CheckFinding) => void;
  /** Told at the end of each listed problem, with what it hurts. */
  readonly problem?: (problem: CheckProblem) => void;
  readonly hint?: (hint: CheckHint) => void;
}

/** How much was looked at. */
export interface CheckStatistics {
  readonly keys: number;
  readonly snapshots: number;
  readonly indexFiles: number;
  /** Packs that the index lists. */
  readonly packs: number;
  /** Blobs that the index lists, each once. */
  readonly blobs: number;
  /** Entries of the index for blobs that another entry has already. */
  readonly duplicateBlobs: number;
  /** Trees that snapshots need. */
  readonly trees: number;
  /** Packs of which every byte was read and verified. */
  readonly packsRead: number;
  readonly bytesRead: number;
}

export interface CheckResult {
  /** In the order in which they were found, at most `problemsMax`. */
  readonly problems: readonly CheckProblem[];
  /** All of them. The repository is sound if this is 0. */
  readonly problemCount: number;
  readonly hints: readonly CheckHint[];
  readonly statistics: CheckStatistics;
}

/** Problems that are listed, each with what it hurts; beyond it they are only counted. */
export const problemsMax = 10_000;
export const detailsMax = 10;
/** Snapshots and paths that are listed for one problem. */
export const listedMax = 100;
export const examplesMax = 10;
