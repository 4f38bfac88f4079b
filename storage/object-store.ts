/**
 * The contract of a place that keeps the files of a repository. Adapters live one per folder
 * beside this file; wrappers (retry, limit, trace, fault) keep the same contract.
 *
 * A store has never heard of packs or snapshots: it keeps bytes under a handle.
 */
import type { Readable } from "node:stream";
import type { RetentionRule } from "./retention-lock.ts";

/** The kinds of files in a restic repository (docs/repository-format.md), and our own objects. */
export const fileTypes = [
  "config",
  "keys",
  "data",
  "index",
  "snapshots",
  "locks",
  "backstay",
] as const;
export type FileType = (typeof fileTypes)[number];

/**
 * Names one stored file. `name` is 64 lowercase hex digits, but for `config` (empty) and `backstay`
 * (1 to 128 of [a-z0-9.-], no dot at either end). Stores refuse any other (see handle-name.ts).
 */
export interface Handle {
  readonly type: FileType;
  readonly name: string;
}

export interface StoredFile {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

/** A byte range: `offset` from 0, `length` > 0; both safe integers, and so is their sum. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

export interface StoreCapabilities {
  /** How many requests at once this store likes, at least 1. */
  readonly connections: number;
  /** True if a save that finds the handle taken is refused by the store itself, without a race. May turn false at the first save. */
  readonly atomicCreate: boolean;
  /**
   * False if the store can't keep files of the type `backstay`: saving one is STORE_DENIED, and none is ever there. May turn
   * false with the first answer of a server.
   */
  readonly ownObjects: boolean;
}

/**
 * Every method rejects with a BackstayError of a STORE_… code, or with the signal's reason when
 * aborted. `kind` of the error says whether trying again can help: adapters classify, wrappers act.
 * A handle or a range that breaks its rules is a bug of the caller: INTERNAL, and nothing is touched.
 * Methods may be called at the same time, also for one handle.
 */
export interface ObjectStore {
  /** Where the files are, for people: never holds a secret. */
  readonly location: string;
  readonly capabilities: StoreCapabilities;
  /** There if the storage can lock objects for a time. */
  readonly retentionLocks?: RetentionLocks | undefined;
  /** There if objects can pass through without being held. */
  readonly streamed?: StreamedObjects | undefined;
  /**
   * The place at `path` (letters, digits and hyphens, slashes between) below this one, over the same connections and
   * account. Open for as long as this one; closing it does nothing. There wherever `streamed` is, but for wrappers.
   * `retention` in place of this one's rule says how new objects are locked there.
   */
  readonly below?: ((path: string, retention?: RetentionRule) => ObjectStore) | undefined;

  /** Makes the place ready for a new repository (folders, bucket check). Repeating it is harmless. */
  create(signal: AbortSignal): Promise<void>;

  /**
   * Stores `data` under `handle`, whole or not at all, durable when it resolves. A handle is written
   * once: if it exists with the same size and content the save succeeds, with other content it rejects with STORE_EXISTS.
   * `data` is not changed and not kept after the call has settled; the caller may not change it before.
   * After a failed or aborted save the file is there whole or not at all, and saving the same again is safe.
   */
  save(handle: Handle, data: Uint8Array, signal: AbortSignal): Promise<void>;

  /**
   * The whole file, or exactly `range` of it. STORE_NOT_FOUND if there is none, STORE_RANGE if it ends
   * before the range does. More than `loadBytesMax` bytes are never returned, asking for them is STORE_RANGE.
   * The array is the caller's own.
   */
  load(handle: Handle, range: ByteRange | undefined, signal: AbortSignal): Promise<Uint8Array>;

  /**
   * All files of a type, in any order, each once. Files whose names are no valid names of that type are
   * left out. A missing folder is an empty list. For `config` yields nothing: use `stat`.
   * Files saved or removed meanwhile may show or not. The consumer may stop early.
   */
  list(type: FileType, signal: AbortSignal): AsyncIterable<StoredFile>;

  /** Size of a file in bytes, or undefined if there is none. */
  stat(handle: Handle, signal: AbortSignal): Promise<number | undefined>;

  /** Removes a file. Removing what is not there succeeds. */
  remove(handle: Handle, signal: AbortSignal): Promise<void>;

  /**
   * Removes what saves of dead runs left behind (partial files, unfinished uploads), if it is older than
   * a day; returns how many. Never touches a file that `list` shows. For maintenance, under a lock.
   */
  sweep(signal: AbortSignal): Promise<number>;

  /** Gives back connections and descriptors. Nothing may be called afterwards. */
  close(): Promise<void>;
}

export interface RetentionLocks {
  /** Until when an object can't be removed, ms since 1970; undefined: it can be. STORE_NOT_FOUND. */
  lockedUntil(handle: Handle, signal: AbortSignal): Promise<number | undefined>;
  /** Locks it until `untilMs` at least, in the mode of the rule; never shortens. STORE_NOT_FOUND, STORE_DENIED. */
  extend(handle: Handle, untilMs: number, signal: AbortSignal): Promise<void>;
}

export interface StreamedObject {
  /** Of the whole object. */
  readonly sizeBytes: number;
  /** The range, or all of it. Destroying it ends the request. */
  readonly body: Readable;
}

/**
 * Objects that pass through, for the gateway, which keeps no body in memory: bytes held are bounded by the part size of
 * the storage, whatever the size of an object.
 */
export interface StreamedObjects {
  /**
   * Stores what `source` gives, `sizeBytes` long, whole or not at all, and only if nothing has the name: `exists` if
   * something has, which stays as it is. If `source` throws, nothing is stored, parts that were sent are given up, and the
   * same error comes out. Durable when it resolves.
   */
  receive(
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<"created" | "exists">;
  /** Undefined if there is none. STORE_RANGE if it ends before the range does. */
  open(
    handle: Handle,
    range: ByteRange | undefined,
    signal: AbortSignal,
  ): Promise<StreamedObject | undefined>;
}

/** Most bytes that `load` returns without a range: more than any sane metadata file or pack. */
export const loadBytesMax = 1024 * 1024 * 1024;

/** A printable form of a handle, also its path below the repository in restic's default layout. */
export function handlePath(handle: Handle): string {
  if (handle.type === "config") return "config";
  if (handle.type === "data") return `data/${handle.name.slice(0, 2)}/${handle.name}`;
  return `${handle.type}/${handle.name}`;
}
