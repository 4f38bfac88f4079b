/**
 * Loads single blobs, above all trees: through the cache where there is one, whole tree packs at a time. What is damaged
 * in one pack is looked for in others.
 */

import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { MetadataCache } from "../cache/metadata-cache.ts";
import type { MasterKey } from "../crypto/master-key.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import { isFileLoss } from "../file-loss.ts";
import { idToHex } from "../id.ts";
import { BlobCopies, type BlobPlace, placeIn } from "../index/blob-copies.ts";
import type { BlobTable } from "../index/blob-table.ts";
import { BlobOpener, type BlobProblem, blobBytesMax, describeBlobProblem } from "./blob-opener.ts";
import { PackMemory } from "./pack-memory.ts";

/** Tree packs kept in memory: trees of one snapshot lie close together. */
const heldBytesMax = 48 * 1024 * 1024;
/** Larger packs (a folder of millions of entries) are neither held nor cached whole. */
const wholePackBytesMax = 32 * 1024 * 1024;
/** A pack read so often in parts is read whole: that costs about as much as these parts did. */
const partsMax = 32;

/** Where a blob lies, and what it must hold. */
interface Place extends BlobPlace {
  readonly id: Uint8Array;
}

/** Told, once each, of packs in which something is damaged that was found in another; `error` says what. */
export type TakeDamagedPack = (pack: string, error: BackstayError) => void;

/** What to tell people of such a pack. */
export function damagedPackText(pack: string): string {
  return `pack ${pack} is damaged; what was needed of it was read from another pack; run \`backstay check --read-data\``;
}

export class BlobLoader {
  readonly #store: ObjectStore;
  readonly #cache: MetadataCache | undefined;
  readonly #table: BlobTable;
  readonly #opener: BlobOpener;
  readonly #copies: BlobCopies;
  readonly #takeDamagedPack: TakeDamagedPack;
  readonly #damagedPacks = new Set<string>();
  readonly #memory = new PackMemory(heldBytesMax);
  readonly #holding = new Set<string>();
  readonly #fetching = new Map<string, Promise<Uint8Array | undefined>>();

  constructor(
    store: ObjectStore,
    cache: MetadataCache | undefined,
    table: BlobTable,
    sealer: Sealer,
    key: MasterKey,
    takeDamagedPack: TakeDamagedPack = () => undefined,
  ) {
    this.#store = store;
    this.#cache = cache;
    this.#table = table;
    this.#opener = new BlobOpener(sealer.codec, key);
    this.#copies = new BlobCopies({ store, sealer, cache }, table);
    this.#takeDamagedPack = takeDamagedPack;
  }

  /**
   * The blob's bytes, the caller's own, checked against its id. BLOB_MISSING if no pack holds it,
   * REPOSITORY_DAMAGED naming blob and pack if it is damaged in all that do, STORE_NOT_FOUND if they are gone; otherwise
   * rejects as `ObjectStore.load`.
   */
  async load(
    ids: Uint8Array,
    offset: number,
    isTree: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    // The caller may reuse its array while this waits.
    const id = ids.slice(offset, offset + 32);
    const place = placeIn(this.#table, id, 0, isTree);
    if (place === undefined) throw new BackstayError("BLOB_MISSING", { blob: idToHex(id) });
    try {
      return await this.#loadFrom({ ...place, id }, isTree, signal);
    } catch (error) {
      if (!isFileLoss(error)) throw error;
      const found = await this.#loadCopy(id, isTree, signal);
      if (found === undefined) throw error;
      if (!this.#damagedPacks.has(place.pack)) this.#takeDamagedPack(place.pack, error);
      this.#damagedPacks.add(place.pack);
      return found;
    }
  }

  /** From a place that is not the first; undefined if there is none where it is right. */
  async #loadCopy(
    id: Uint8Array,
    isTree: boolean,
    signal: AbortSignal,
  ): Promise<Uint8Array | undefined> {
    for (const place of await this.#copies.find(id, 0, isTree, signal)) {
      try {
        return await this.#loadFrom({ ...place, id }, isTree, signal);
      } catch (error) {
        if (!isFileLoss(error)) throw error;
      }
    }
    return undefined;
  }

  async #loadFrom(place: Place, isTree: boolean, signal: AbortSignal): Promise<Uint8Array> {
    if (place.length > blobBytesMax + sealOverheadBytes) throw damaged(place, "length");
    const nearby = isTree ? await this.#loadNearby(place, signal) : undefined;
    return nearby ?? (await this.#loadFromStore(place, signal));
  }

  /** From memory, cache, or a pack that is fetched whole; undefined if those don't have it, or not right. */
  async #loadNearby(place: Place, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const held = this.#memory.get(place.pack);
    if (held !== undefined) return await this.#openCopy(held, place.offset, place);
    const part = await this.#cache?.loadRange("trees", place.pack, place.offset, place.length);
    if (part !== undefined) {
      const uses = this.#memory.countUse(place.pack);
      if (uses === 1) await this.#cache?.touch("trees", place.pack);
      if (uses >= partsMax) await this.#holdCached(place.pack);
      return await this.#openCopy(part, 0, place);
    }
    if (this.#cache === undefined && this.#memory.countUse(place.pack) < partsMax) return undefined;
    const whole = await this.#fetchWhole(place.pack, signal);
    return whole === undefined ? undefined : await this.#openCopy(whole, place.offset, place);
  }

  /** Opens a blob of a copy of its pack; a copy that is wrong is forgotten. */
  async #openCopy(copy: Uint8Array, at: number, place: Place): Promise<Uint8Array | undefined> {
    const opened = this.#tryOpen(copy, at, place);
    if (typeof opened !== "string") return opened;
    // The copy is bad or the index wrong: the store has the last word.
    this.#memory.delete(place.pack);
    await this.#cache?.remove("trees", place.pack);
    return undefined;
  }

  async #loadFromStore(place: Place, signal: AbortSignal): Promise<Uint8Array> {
    const range = { offset: place.offset, length: place.length };
    let stored: Uint8Array;
    try {
      stored = await this.#store.load({ type: "data", name: place.pack }, range, signal);
    } catch (error) {
      if (!isBackstayError(error, "STORE_RANGE")) throw error;
      throw damaged(place, "length");
    }
    const opened = this.#tryOpen(stored, 0, place);
    if (typeof opened === "string") throw damaged(place, opened);
    return opened;
  }

  #tryOpen(src: Uint8Array, at: number, place: Place): Uint8Array | BlobProblem {
    const { length, plainLength, id } = place;
    const opened = this.#opener.tryOpen(src, at, length, plainLength, id, 0);
    return typeof opened === "string" ? opened : this.#opener.keep(opened);
  }

  /** Many ask for one pack at the same time; one of them loads it. */
  async #holdCached(pack: string): Promise<void> {
    if (this.#holding.has(pack)) return;
    this.#holding.add(pack);
    try {
      const whole = await this.#cache?.load("trees", pack);
      if (whole !== undefined) this.#memory.put(pack, whole);
    } finally {
      this.#holding.delete(pack);
    }
  }

  /** The whole pack from the store, once for all who ask at the same time; undefined if it is too large or gone. */
  async #fetchWhole(pack: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const running = this.#fetching.get(pack);
    // Another's failure or abort is not ours: its part is then loaded alone.
    if (running !== undefined) return await running.catch(() => undefined);
    const fetching = this.#fetchOnce(pack, signal);
    this.#fetching.set(pack, fetching);
    try {
      return await fetching;
    } finally {
      this.#fetching.delete(pack);
    }
  }

  async #fetchOnce(pack: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const handle = { type: "data", name: pack } as const;
    const size = await this.#store.stat(handle, signal);
    if (size === undefined || size > wholePackBytesMax) return undefined;
    try {
      const bytes = await this.#store.load(handle, undefined, signal);
      this.#memory.put(pack, bytes);
      await this.#cache?.save("trees", pack, bytes);
      return bytes;
    } catch (error) {
      if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
      throw error;
    }
  }
}

function damaged(place: Place, problem: BlobProblem): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", {
    blob: idToHex(place.id),
    pack: place.pack,
    problem: describeBlobProblem(problem),
  });
}
