/** What the main thread and the threads that verify tell each other. */
import type { SharedBlobTable } from "../../repository/index/blob-table.ts";

/** First message to a thread. */
export interface StartMessage {
  readonly kind: "start";
  readonly masterKey: Uint8Array;
  readonly table: SharedBlobTable;
}

/** From now on, trees are looked at for blobs that can't be had. */
export interface LookForHurtMessage {
  readonly kind: "look for hurt";
  readonly hurt: SharedArrayBuffer;
}

/** Verify a pack that is expected to be sound: the first thing that is not ends it. */
export interface WholeJob {
  readonly kind: "whole";
  /** The pack. Given to the thread. */
  readonly bytes: Uint8Array;
  /** Of the pack, 32 bytes. */
  readonly id: Uint8Array;
  /** SHA-256 of the plain header that the index amounts to. */
  readonly headerDigest: Uint8Array;
  /** Only the trees in it are opened and examined; nothing else is verified. */
  readonly onlyTrees: boolean;
}

export interface WholeAnswer {
  readonly kind: "whole";
  /** False if anything was not as it should be. */
  readonly isSound: boolean;
  /** See tree-records.ts. */
  readonly trees: Uint32Array;
}

/** Numbers for each blob of a window, one after the other: offset in the window, sealed length, plain length (0: stored plain), 1 for a tree. */
export const placeNumbers = 4;

/** Open the blobs of a piece of a pack one by one, whatever is wrong with the others. */
export interface WindowJob {
  readonly kind: "window";
  /** Pieces of one pack have the same number. They come to the same thread, in order. */
  readonly stream: number;
  /** The piece. Given to the thread. */
  readonly bytes: Uint8Array;
  /** Where in `bytes` the running digest goes on; undefined if none is wanted. */
  readonly digestFrom: number | undefined;
  /** True for the last piece: the digest is wanted now. */
  readonly isLast: boolean;
  /** 32 bytes a blob. */
  readonly ids: Uint8Array;
  readonly places: Float64Array;
}

/** A blob that could not be opened. */
export interface BadBlob {
  /** Its place among the blobs of the job. */
  readonly place: number;
  readonly problem: string;
}

export interface WindowAnswer {
  readonly kind: "window";
  readonly badBlobs: readonly BadBlob[];
  readonly trees: Uint32Array;
  /** Of the whole pack, 32 bytes; for the last piece. */
  readonly digest: Uint8Array | undefined;
}

export type CheckMessage = StartMessage | LookForHurtMessage | WholeJob | WindowJob;
export type CheckAnswer = WholeAnswer | WindowAnswer;
