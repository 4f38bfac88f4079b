/**
 * What the gateway keeps the files of machines in: a port, behind which is a folder or an object storage. Everything is
 * streamed.
 *
 * Methods reject with a BackstayError of a STORE_… code.
 */
import type { LockUntil } from "../../protocol/gateway-locks.ts";
import {
  type ByteRange,
  type FileType,
  fileTypes,
  type Handle,
  type StoredFile,
  type StreamedObject,
} from "../../storage/object-store.ts";
import type { RetentionRule } from "../../storage/retention-lock.ts";

/** Where the files of one machine in one repository are. The ids are of the form of `isPlainId`. */
export interface GatewayPlace {
  readonly tenantId: string;
  readonly repositoryId: string;
  readonly agentId: string;
}

export interface Usage {
  readonly bytes: number;
  readonly objects: number;
}

/** As `RetentionLocks` of stores. */
export interface GatewayLocks {
  lockedUntil(place: GatewayPlace, handle: Handle): Promise<number | undefined>;
  extend(place: GatewayPlace, handle: Handle, lock: LockUntil): Promise<void>;
}

export interface GatewayObjects {
  /** There if objects can be locked for a time. */
  readonly locks?: GatewayLocks | undefined;
  /** Makes the place ready. Repeating it is harmless. */
  create(place: GatewayPlace): Promise<void>;
  /**
   * Stores what `source` gives, `sizeBytes` long, whole or not at all: durable when it resolves; `exists` if another file
   * has the name, and then nothing changed. If `source` throws nothing is stored, and the same error comes out. With
   * `retention`, which takes `locks`, it is locked from its beginning; STORE_LACKS if it turns out that nothing is.
   * STORE_MISSING if the place was never made, where places must be made.
   */
  receive(
    place: GatewayPlace,
    handle: Handle,
    sizeBytes: number,
    source: AsyncIterable<Uint8Array>,
    retention?: RetentionRule,
  ): Promise<"created" | "exists">;
  /** The file or a part of it; undefined if there is none. STORE_RANGE if it ends before the part does. */
  open(
    place: GatewayPlace,
    handle: Handle,
    range: ByteRange | undefined,
  ): Promise<StreamedObject | undefined>;
  stat(place: GatewayPlace, handle: Handle): Promise<number | undefined>;
  /** Makes sure that a file that was found outlives a power cut. */
  settle(place: GatewayPlace, handle: Handle): Promise<void>;
  list(place: GatewayPlace, type: FileType, signal: AbortSignal): AsyncIterable<StoredFile>;
  /** Removing what is not there succeeds. */
  remove(place: GatewayPlace, handle: Handle): Promise<void>;
}

/** Counts what is there, by listing it. */
export async function countObjects(
  objects: GatewayObjects,
  place: GatewayPlace,
  signal: AbortSignal,
): Promise<Usage> {
  const configBytes = await objects.stat(place, { type: "config", name: "" });
  let bytes = configBytes ?? 0;
  let count = configBytes === undefined ? 0 : 1;
  for (const type of fileTypes)
    for await (const { size } of objects.list(place, type, signal)) {
      bytes += size;
      count += 1;
    }
  return { bytes, objects: count };
}
