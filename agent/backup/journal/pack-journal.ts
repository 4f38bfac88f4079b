/**
 * Ids of the packs that a run has begun to store, 32 bytes each, in a local file. The run after a crash
 * looks for those that no index names and takes them in, so that what had arrived is not sent again.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../../protocol/error-catalog.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { Sealer } from "../../repository/crypto/sealed-bytes.ts";
import { idFromHex, idToHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { IndexWriter } from "../../repository/index/index-writer.ts";
import { readPackHeader } from "../../repository/pack/pack-reader.ts";

const idLength = 32;
/** What says that a pack can't be had; anything else says that the store can't. */
const lostPackCodes: ReadonlySet<ErrorCode> = new Set([
  "REPOSITORY_DAMAGED",
  "STORE_NOT_FOUND",
  "STORE_RANGE",
  "STORE_BROKEN",
]);

export class PackJournal {
  readonly #descriptor: number;
  #hasFailed = false;

  /** Opens `filePath` to append to; throws the system's error. An id that a crash cut short is cut off. */
  constructor(filePath: string) {
    this.#descriptor = openSync(filePath, "a", 0o600);
    const { size } = fstatSync(this.#descriptor);
    if (size % idLength !== 0) ftruncateSync(this.#descriptor, size - (size % idLength));
  }

  /** Notes a pack that is about to be stored. A failure costs only the recovery of this pack. */
  announce(id: Uint8Array): void {
    if (this.#hasFailed) return;
    try {
      this.#hasFailed = writeSync(this.#descriptor, id) !== idLength;
    } catch {
      // The disk of the cache is full: the pack is stored all the same.
      this.#hasFailed = true;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export interface RecoveredPacks {
  readonly packs: number;
  readonly blobs: number;
}

/**
 * Takes packs of an interrupted run into table and index: those of the journal at `filePath` that are
 * stored and that no index names. Packs that are damaged or gone are passed over.
 */
export async function recoverPacks(
  filePath: string,
  parts: { store: ObjectStore; sealer: Sealer; table: BlobTable; index: IndexWriter },
  locate: (table: BlobTable, id: Uint8Array, header: Uint8Array) => void,
  signal: AbortSignal,
): Promise<RecoveredPacks> {
  const { store, sealer, table, index } = parts;
  const known = new Set<string>();
  for (let i = 0; i < table.packCount; i += 1) known.add(table.packId(i));
  const recovered = { packs: 0, blobs: 0 };
  for (const name of announced(filePath)) {
    if (known.has(name)) continue;
    const size = await store.stat({ type: "data", name }, signal);
    if (size === undefined) continue;
    try {
      const { blobs, header } = await readPackHeader(store, sealer, name, size, signal);
      const id = idFromHex(name);
      locate(table, id, header);
      await index.add({ id, header }, blobs.length, performance.now(), signal);
      recovered.packs += 1;
      recovered.blobs += blobs.length;
    } catch (error) {
      if (!isBackstayError(error) || !lostPackCodes.has(error.code)) throw error;
      // A pack that a crash of the store's own machine left damaged: its data is sent again.
    }
  }
  return recovered;
}

function announced(filePath: string): Set<string> {
  try {
    const bytes = readFileSync(filePath);
    const names = new Set<string>();
    for (let at = 0; at + idLength <= bytes.length; at += idLength) names.add(idToHex(bytes, at));
    return names;
  } catch {
    // No journal: no interrupted run.
    return new Set();
  }
}
