/**
 * Writes index files for stored packs: when one is full, when it has waited ten minutes, and at the end.
 * A pack is announced only after it is durable in the store, so an index never names what is not there.
 */
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { Sealer } from "../crypto/sealed-bytes.ts";
import { sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { encodeUnpackedPieces, type JsonPieces } from "../unpacked-file.ts";
import { encodeIndex, type IndexedPack } from "./index-file.ts";

/** Blobs in one index file, as restic since 0.17. */
const indexedBlobsMax = 50_000;
/** How long a stored pack may wait for its index. */
const indexDelayMs = 10 * 60 * 1000;

export class IndexWriter {
  readonly #store: ObjectStore;
  readonly #sealer: Sealer;
  readonly #version: 1 | 2;
  readonly #assertHeld: (signal: AbortSignal) => Promise<void>;
  #packs: IndexedPack[] = [];
  #blobs = 0;
  #since = 0;
  #flushing: Promise<void> = Promise.resolve();
  /** Hex ids of the index files written. */
  readonly written: string[] = [];
  /** Packs that those name. */
  packsWritten = 0;
  bytesWritten = 0;

  /** `assertHeld` is awaited before each file: without a lock others may have pruned the packs that it would name. */
  constructor(
    store: ObjectStore,
    sealer: Sealer,
    version: 1 | 2,
    assertHeld: (signal: AbortSignal) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#store = store;
    this.#sealer = sealer;
    this.#version = version;
    this.#assertHeld = assertHeld;
  }

  /**
   * Notes a stored pack with `blobs` blobs; resolves when an index file that became due is stored. `nowMs` is any
   * clock that does not jump.
   */
  async add(pack: IndexedPack, blobs: number, nowMs: number, signal: AbortSignal): Promise<void> {
    if (this.#packs.length === 0) this.#since = nowMs;
    this.#packs.push(pack);
    this.#blobs += blobs;
    if (this.#blobs >= indexedBlobsMax || nowMs - this.#since >= indexDelayMs)
      await this.flush(signal);
  }

  /**
   * Stores what is noted, if anything. When it resolves, every pack noted before the call is in a stored index
   * file, also if another call was storing it. What could not be stored stays noted.
   */
  async flush(signal: AbortSignal): Promise<void> {
    const before = this.#flushing;
    const flushing = (async () => {
      // Its caller hears of its failure; what it did not store is stored now.
      await before.catch(() => undefined);
      await this.#write(signal);
    })();
    this.#flushing = flushing;
    await flushing;
  }

  async #write(signal: AbortSignal): Promise<void> {
    const packs = this.#packs;
    if (packs.length === 0) return;
    const blobs = this.#blobs;
    this.#packs = [];
    this.#blobs = 0;
    try {
      await this.#assertHeld(signal);
      const json: JsonPieces = (take) => encodeIndex(packs, take);
      const stored = encodeUnpackedPieces(this.#sealer, json, this.#version);
      const name = idToHex(sha256(this.#sealer.codec, stored));
      await this.#store.save({ type: "index", name }, stored, signal);
      this.written.push(name);
      this.packsWritten += packs.length;
      this.bytesWritten += stored.length;
    } catch (error) {
      this.#packs = [...packs, ...this.#packs];
      this.#blobs += blobs;
      throw error;
    }
  }
}
