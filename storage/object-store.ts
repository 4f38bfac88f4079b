/**
 * The contract of a place that keeps the files of a repository. Adapters live one per folder
 * beside this file; wrappers (retry, limit, trace, fault) keep the same contract.
 *
 * A store has never heard of packs or snapshots: it keeps bytes under a handle.
 */

/** The kinds of files in a restic repository (docs/repository-format.md), and our own objects. */
export const fileTypes = ["config", "keys", "data", "index", "snapshots", "locks", "backstay"] as const;
export type FileType = (typeof fileTypes)[number];

/** Names one stored file. `name` is 64 lowercase hex digits, but for `config` (empty) and `backstay` ([a-z0-9.-]{1,128}). */
export interface Handle {
  readonly type: FileType;
  readonly name: string;
}

export interface StoredFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A byte range: `offset` from 0, `length` > 0; both safe integers. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface StoreCapabilities {
  /** How many requests at once this store likes. */
  readonly connections: number;
  /** True if a save that finds the handle taken is refused by the store itself, without a race. */
  readonly atomicCreate: boolean;
}

/**
 * Every method rejects with a BackstayError of a STORE_… code, or with the signal's reason when
 * aborted. `kind` of the error says whether trying again can help: adapters classify, wrappers act.
 */
export interface ObjectStore {
  /** Where the files are, for people: never holds a secret. */
  readonly location: string;
  readonly capabilities: StoreCapabilities;

  /** Makes the place ready for a new repository (folders, bucket check). Repeating it is harmless. */
  create(signal: AbortSignal): Promise<void>;

  /**
   * Stores `data` under `handle`, whole or not at all, durable when it resolves. A handle is written
   * once: if it exists with the same size and content the save succeeds, with other content it rejects with STORE_EXISTS.
   * `data` is not changed and not kept after the call has settled.
   */
  save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void>;

  /**
   * The whole file, or exactly `range` of it. STORE_NOT_FOUND if there is none, STORE_RANGE if it ends
   * before the range does. Without a range at most `loadBytesMax` bytes, else STORE_RANGE.
   */
  load(handle: Handle, range: ByteRange | undefined, signal: AbortSignal): Promise<Uint8Array>;

  /**
   * All files of a type, in any order, each once. Files whose names are no valid names of that type are
   * left out. A missing folder is an empty list. For `config` yields nothing: use `stat`.
   */
  list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile>;

  /** Size of a file in bytes, or undefined if there is none. */
  stat(handle: Handle, signal: AbortSignal): Promise<number | undefined>;

  /** Removes a file. Removing what is not there succeeds. */
  remove(handle: Handle, signal: AbortSignal): Promise<void>;

  /** Gives back connections and descriptors. Nothing may be called afterwards. */
  close(): Promise<void>;
}

/** Most bytes that `load` returns without a range: more than any sane metadata file or pack. */
export const loadBytesMax = 1024 * 1024 * 1024;

/** A printable form of a handle, also its path below the repository in restic's default layout. */
export function handlePath(handle: Handle): string {
  if (handle.type === "config") return "config";
  if (handle.type === "data") return `data/${handle.name.slice(0, 2)}/${handle.name}`;
  return `${handle.type}/${handle.name}`;
}
