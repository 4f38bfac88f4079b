/**
 * Content-defined chunking: FastCDC over a gear hash, without hashing the minimum. The gear table is made
 * of a secret of the repository, so that chunk sizes tell less about known files. Pure.
 */
import { type GearSearch, openGearSearch } from "./gear-search.ts";

export const chunkBytesMin = 512 * 1024;
export const chunkBytesMax = 8 * 1024 * 1024;
/** Before this length a cut is rare, after it more likely: chunks gather around it. */
const chunkBytesNormal = 1024 * 1024;
/** Cut where the 32-bit hash is below: once in 2 MiB before, once in 512 KiB after the normal length. */
const rareThreshold = 2 ** 11;
const likelyThreshold = 2 ** 13;

/** Bytes of secret that a gear table is made of. */
export const gearSecretBytes = 1024;

/** Cuts data that lies in its own memory. */
export class GearChunker {
  readonly #search: GearSearch;

  /** `secret`: `gearSecretBytes` random bytes; `dataBytes`: room for data. */
  constructor(secret: Uint8Array, dataBytes: number) {
    const view = new DataView(secret.buffer, secret.byteOffset, gearSecretBytes);
    const gear = Int32Array.from({ length: 256 }, (_, i) => view.getInt32(i * 4, true));
    this.#search = openGearSearch(gear, dataBytes);
  }

  /** The data to cut. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#search.bytes;
  }

  /**
   * End of the chunk that begins at `start`. `bytes[start, end)` must hold `chunkBytesMax` bytes, or all
   * that is left of the data.
   */
  cut(start: number, end: number): number {
    const limit = Math.min(end, start + chunkBytesMax);
    if (limit - start <= chunkBytesMin) return limit;
    const normal = Math.min(limit, start + chunkBytesNormal);
    const early = this.#search.find(start + chunkBytesMin, normal, rareThreshold);
    if (early >= 0) return early;
    const late = this.#search.find(normal, limit, likelyThreshold);
    return late >= 0 ? late : limit;
  }
}
