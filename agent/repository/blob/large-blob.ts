/**
 * A blob that is too long to be held: it is hashed and compressed while it is made, and only what it
 * compresses to is kept. The tree of a directory of a million entries is one.
 */
import type { Codec, RunningCompressor, RunningSha256 } from "../../../platform/ports/codec.ts";

/** Kept bytes lie in blocks of this size. */
const blockBytes = 4 * 1024 * 1024;

export class LargeBlob {
  /** SHA-256 of what was added, valid after `finish`. */
  readonly id = new Uint8Array(32);
  readonly #hash: RunningSha256;
  readonly #compressor: RunningCompressor;
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #plainLength = 0;
  #compressedLength = 0;

  /** `level` is zstd's. */
  constructor(codec: Codec, level: number) {
    this.#hash = codec.startSha256();
    this.#compressor = codec.startCompress(level, (bytes, offset, length) => {
      this.#keep(bytes, offset, length);
    });
  }

  /** Bytes added so far. */
  get plainLength(): number {
    return this.#plainLength;
  }

  /** Bytes of the compressed blob, final after `finish`. */
  get compressedLength(): number {
    return this.#compressedLength;
  }

  /** Appends `src[offset, offset + length)`. Whoever adds keeps to `blobBytesMax`: more is never read again. */
  add(src: Uint8Array, offset: number, length: number): void {
    this.#plainLength += length;
    this.#hash.update(src, offset, length);
    this.#compressor.update(src, offset, length);
  }

  /** Nothing is added any more. */
  finish(): void {
    this.#hash.finish(this.id, 0);
    this.#compressor.finish();
  }

  /** Moves the compressed bytes to `dst` at `dstOffset`. Memory is given back on the way, so that they never exist twice. */
  moveTo(dst: Uint8Array, dstOffset: number): void {
    let at = dstOffset;
    const end = dstOffset + this.#compressedLength;
    for (let block = this.#blocks.shift(); block !== undefined; block = this.#blocks.shift()) {
      const count = Math.min(block.length, end - at);
      dst.set(block.subarray(0, count), at);
      at += count;
      block.buffer.transfer(0);
    }
  }

  #keep(bytes: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = this.#compressedLength % blockBytes;
      if (at === 0) this.#blocks.push(new Uint8Array(blockBytes));
      const count = Math.min(length - done, blockBytes - at);
      this.#blocks[this.#blocks.length - 1].set(
        bytes.subarray(offset + done, offset + done + count),
        at,
      );
      this.#compressedLength += count;
      done += count;
    }
  }
}
