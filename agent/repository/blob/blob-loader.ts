/** Loads single blobs, above all trees: through the cache where there is one, whole tree packs at a time. */
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { MetadataCache } from "../cache/metadata-cache.ts";
import type { MasterKey } from "../crypto/master-key.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import type { BlobTable } from "../index/blob-table.ts";
import { BlobOpener } from "./blob-opener.ts";

/** Tree packs kept in memory: trees of one snapshot lie close together. */
const packsHeldMax = 2;
/** Larger packs (a folder of millions of entries) are not held. */
const heldPackBytesMax = 32 * 1024 * 1024;

export class BlobLoader {
  readonly #store: ObjectStore;
  readonly #cache: MetadataCache | undefined;
  readonly #table: BlobTable;
  readonly #opener: BlobOpener;
  readonly #held = new Map<string, Uint8Array>();

  constructor(
    store: ObjectStore,
    cache: MetadataCache | undefined,
    table: BlobTable,
    sealer: Sealer,
    key: MasterKey,
  ) {
    this.#store = store;
    this.#cache = cache;
    this.#table = table;
    this.#opener = new BlobOpener(sealer.codec, key);
  }

  /**
   * A copy of the blob's bytes, checked against its id. BLOB_MISSING if no pack holds it,
   * REPOSITORY_DAMAGED or STORE_NOT_FOUND if its pack is damaged or gone.
   */
  async load(
    ids: Uint8Array,
    offset: number,
    isTree: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const table = this.#table;
    const entry = table.find(ids, offset, isTree);
    const pack = entry < 0 ? -1 : table.packOf(entry);
    if (pack < 0) throw new BackstayError("BLOB_MISSING", { blob: idToHex(ids, offset) });
    const packId = table.packId(pack);
    const at = table.offsetOf(entry);
    const length = table.storedLengthOf(entry);
    const plainLength = table.isCompressed(entry) ? table.plainLengthOf(entry) : 0;
    if (isTree && this.#cache !== undefined) {
      const held = await this.#heldPack(packId, signal);
      if (held !== undefined) {
        const opened = this.#opener.tryOpen(held, at, length, plainLength, ids, offset);
        if (typeof opened !== "string") return this.#opener.keep(opened);
        // The copy is bad or the index wrong: the store has the last word.
        this.#held.delete(packId);
        await this.#cache.remove("trees", packId);
      }
    }
    const handle = { type: "data", name: packId } as const;
    const stored = await this.#store.load(handle, { offset: at, length }, signal);
    return this.#opener.open(stored, 0, length, plainLength, ids, offset).slice();
  }

  /** The whole pack, from memory, cache or store; undefined if it is too large or can't be had whole. */
  async #heldPack(packId: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const held = this.#held.get(packId);
    if (held !== undefined) return held;
    let bytes = await this.#cache?.load("trees", packId);
    if (bytes === undefined) {
      const handle = { type: "data", name: packId } as const;
      const size = await this.#store.stat(handle, signal);
      if (size === undefined || size > heldPackBytesMax) return undefined;
      try {
        bytes = await this.#store.load(handle, undefined, signal);
      } catch (error) {
        if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
        throw error;
      }
      await this.#cache?.save("trees", packId, bytes);
    }
    this.#held.set(packId, bytes);
    const [oldest] = this.#held.keys();
    if (this.#held.size > packsHeldMax && oldest !== undefined) this.#held.delete(oldest);
    return bytes;
  }
}
