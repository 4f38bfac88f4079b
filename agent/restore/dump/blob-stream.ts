/**
 * Blobs of files, one after the other, for streaming: neighbours in a pack are fetched together, and what comes next is
 * fetched while the last one is written.
 */
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { BlobOpener } from "../../repository/blob/blob-opener.ts";
import type { Repository } from "../../repository/repository.ts";

/** Bytes fetched along with a blob that has neighbours. */
const windowBytes = 2 * 1024 * 1024;
const heldBytesMax = 48 * 1024 * 1024;
/** Blobs of one file fetched ahead. */
const blobsAhead = 4;

interface PackWindow {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  readonly bytes: Promise<Uint8Array>;
}

export class BlobStream {
  readonly #repository: Repository;
  readonly #signal: AbortSignal;
  readonly #opener: BlobOpener;
  readonly #packEnds: Float64Array;
  /** Oldest first. */
  #windows: PackWindow[] = [];

  /** The repository's index is loaded. */
  constructor(repository: Repository, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
    this.#opener = new BlobOpener(repository.sealer.codec, repository.masterKey);
    const { blobs } = repository;
    this.#packEnds = new Float64Array(blobs.packCount);
    for (const entry of blobs.entries()) {
      const pack = blobs.packOf(entry);
      const end = blobs.offsetOf(entry) + blobs.storedLengthOf(entry);
      if (pack >= 0 && end > this.#packEnds[pack]) this.#packEnds[pack] = end;
    }
  }

  /** Bytes of the blobs whose ids stand in `content`, 32 bytes each; -1 if the index lacks one. */
  lengthOf(content: Uint8Array): number {
    const { blobs } = this.#repository;
    let length = 0;
    for (let at = 0; at < content.length; at += 32) {
      const entry = blobs.find(content, at, false);
      if (entry < 0) return -1;
      length += blobs.plainLengthOf(entry);
    }
    return length;
  }

  /** Each blob in turn, the consumer's own. Rejects as `Repository.loadBlob`. */
  async *read(content: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < content.length; at += 32) {
      const last = Math.min(content.length, at + blobsAhead * 32);
      for (let next = at; next < last; next += 32) this.#windowOf(content, next);
      yield await this.#load(content, at);
    }
  }

  async #load(ids: Uint8Array, at: number): Promise<Uint8Array> {
    const window = this.#windowOf(ids, at);
    if (window !== undefined) {
      const { blobs } = this.#repository;
      const entry = blobs.find(ids, at, false);
      try {
        const bytes = await window.bytes;
        const opened = this.#opener.tryOpen(
          bytes,
          blobs.offsetOf(entry) - window.offset,
          blobs.storedLengthOf(entry),
          blobs.isCompressed(entry) ? blobs.plainLengthOf(entry) : 0,
          ids,
          at,
        );
        if (typeof opened !== "string") return opened.slice();
      } catch (error) {
        if (!isBackstayError(error)) throw error;
      }
      this.#windows = this.#windows.filter((held) => held !== window);
    }
    // Damaged, cut off or missing: asked for by itself, it tells what is wrong, or comes after all.
    return await this.#repository.loadBlob(ids, this.#signal, at);
  }

  /** The window that holds a blob, which is fetched if it is not held; undefined if no index knows the blob. */
  #windowOf(ids: Uint8Array, at: number): PackWindow | undefined {
    const { blobs } = this.#repository;
    const entry = blobs.find(ids, at, false);
    const pack = entry < 0 ? -1 : blobs.packOf(entry);
    if (pack < 0) return undefined;
    const offset = blobs.offsetOf(entry);
    const end = offset + blobs.storedLengthOf(entry);
    const held = this.#windows.find(
      (window) =>
        window.pack === pack && window.offset <= offset && end <= window.offset + window.length,
    );
    if (held !== undefined) return held;
    const length = Math.max(end, Math.min(this.#packEnds[pack], offset + windowBytes)) - offset;
    const name = blobs.packId(pack);
    const bytes = this.#repository.store.load(
      { type: "data", name },
      { offset, length },
      this.#signal,
    );
    // Whoever needs it sees the failure.
    bytes.catch(() => undefined);
    const window = { pack, offset, length, bytes };
    this.#windows.push(window);
    let total = this.#windows.reduce((sum, { length: size }) => sum + size, 0);
    while (total > heldBytesMax && this.#windows.length > blobsAhead) {
      total -= this.#windows[0].length;
      this.#windows.shift();
    }
    return window;
  }
}
