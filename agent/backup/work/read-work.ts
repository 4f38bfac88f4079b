/** What the scan asks of the sealing workers, and what comes back. Arrays travel as transferred buffers. */
import type { DirectoryToken, ExtendedAttribute } from "../../../platform/ports/source-files.ts";
import type { Cost } from "./cost-meter.ts";

/** Files of this size and more are read in ranges, so that all workers share a large one. */
export const rangeBytes = 128 * 1024 * 1024;

/** Larger files are refused: a sparse one may claim any size, and its list of blobs would outgrow every tree. */
export const fileBytesMax = 16 * 1024 ** 4;

/** Many small files, of one directory or several. */
export interface FileBatch {
  readonly kind: "batch";
  readonly id: number;
  /** Runs of files that lie in one directory, in order; they cover the batch. */
  readonly groups: readonly { readonly directory: DirectoryToken; readonly count: number }[];
  readonly names: Uint8Array;
  /** `count + 1` offsets into `names`. */
  readonly offsets: Uint32Array;
  /** Stat records as the scan saw them. */
  readonly records: Uint8Array;
}

/** A part of one large file. The last part goes on to the end, wherever that is by then. */
export interface FileRange {
  readonly kind: "range";
  readonly id: number;
  readonly directory: DirectoryToken;
  readonly name: Uint8Array;
  readonly record: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly isLast: boolean;
}

export type ReadWork = FileBatch | FileRange;

/** Something that went wrong with one file of a work item. */
export interface ReadIssue {
  readonly index: number;
  /** Name of the system's error, or `CHANGED`. */
  readonly code: string;
  readonly message: string;
}

/** Answer to one work item; arrays have an element per file (a range is one file). */
export interface ReadResult {
  readonly kind: "read";
  readonly worker: number;
  readonly id: number;
  /** 1 where content was read, 0 where the file is left out. */
  readonly isRead: Uint8Array;
  /** 1 where a later change may not show in the file's times. */
  readonly isFresh: Uint8Array;
  /** Bytes really stored. */
  readonly sizes: Float64Array;
  /** Number of blob ids of each file; their ids follow one another in `ids`. */
  readonly idCounts: Uint32Array;
  readonly ids: Uint8Array;
  /** The records again, newer where a file had changed before it was read. */
  readonly records: Uint8Array;
  readonly attributes: readonly { readonly index: number; readonly list: ExtendedAttribute[] }[];
  readonly issues: readonly ReadIssue[];
  /** What each file cost; undefined unless somebody wants to know. */
  readonly costs: readonly Cost[] | undefined;
}
