/** Initialisation vectors from the system's random source, drawn in batches. */
import { randomFillSync } from "node:crypto";

const batchBytes = 16 * 1024;

/** Hands out 16-byte vectors, each once. */
export class RandomIv {
  readonly bytes = new Uint8Array(batchBytes);
  #used = batchBytes;

  /** Offset in `bytes` of the next vector; valid until the next call. */
  next(): number {
    if (this.#used === batchBytes) {
      randomFillSync(this.bytes);
      this.#used = 0;
    }
    const offset = this.#used;
    this.#used += 16;
    return offset;
  }
}
