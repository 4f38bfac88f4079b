/**
 * What is too long to be held as it is: it is hashed and compressed while it is made, and only what it compresses to is
 * kept. The tree of a directory of a million entries is one, and so is every index file.
 */
import type { Codec, RunningCompressor, RunningSha256 } from "../../platform/ports/codec.ts";

/** Kept bytes lie in blocks of this size. */
const blockBytes = 1024 * 1024;

export class EncodedBytes {
  /** SHA-256 of what was added, valid after `finish`. */
  readonly id = new Uint8Array(32);
  readonly #hash: RunningSha256;
  readonly #compressor: RunningCompressor | undefined;
  readonly #blocks: Uint8Array<ArrayBuffer>[] = [];
  #plainLength = 0;
  #encodedLength = 0;

  /** `level` is zstd's; without one the bytes are kept as they are. */
  constructor(codec: Codec, level: number | undefined) {
    this.#hash = codec.startSha256();
    if (level === undefined) return;
    this.#compressor = codec.startCompress(level, (bytes, offset, length) => {
      this.#keep(bytes, offset, length);
    });
  }

  /** Bytes added so far. */
  get plainLength(): number {
    return this.#plainLength;
  }

  /** Bytes kept, final after `finish`. */
  get encodedLength(): number {
    return this.#encodedLength;
  }

  /** Appends `src[offset, offset + length)`. Whoever adds keeps to what is read again: `blobBytesMax` of a tree. */
  add(src: Uint8Array, offset: number, length: number): void {
    this.#plainLength += length;
    this.#hash.update(src, offset, length);
    if (this.#compressor === undefined) this.#keep(src, offset, length);
    else this.#compressor.update(src, offset, length);
  }

  /** Nothing is added any more. */
  finish(): void {
    this.#hash.finish(this.id, 0);
    this.#compressor?.finish();
  }

  /** Moves the kept bytes to `dst` at `dstOffset`. Memory is given back on the way, so that they never exist twice. */
  moveTo(dst: Uint8Array, dstOffset: number): void {
    let at = dstOffset;
    const end = dstOffset + this.#encodedLength;
    for (let block = this.#blocks.shift(); block !== undefined; block = this.#blocks.shift()) {
      const count = Math.min(block.length, end - at);
      dst.set(block.subarray(0, count), at);
      at += count;
      block.buffer.transfer(0);
    }
  }

  #keep(bytes: Uint8Array, offset: number, length: number): void {
    for (let done = 0; done < length; ) {
      const at = this.#encodedLength % blockBytes;
      if (at === 0) this.#blocks.push(new Uint8Array(blockBytes));
      const count = Math.min(length - done, blockBytes - at);
      this.#blocks[this.#blocks.length - 1].set(
        bytes.subarray(offset + done, offset + done + count),
        at,
      );
      this.#encodedLength += count;
      done += count;
    }
  }
}
