/** Opens sealed blobs and decompresses them, within memory that is bounded and given back. Hashing is the caller's. */
import type { Codec, SealCipher } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { type BlobProblem, blobBytesMax } from "../../repository/blob/blob-opener.ts";
import { largeBlobBytesMin } from "./check-messages.ts";

const none = new Uint8Array(0);

/** Memory that decoding a blob takes besides its sealed bytes. */
export function decodingBytes(length: number, plainLength: number): number {
  return length + plainLength;
}

/** One per thread. */
export class BlobDecoder {
  /** After `decode`: the blob is `bytes[0, length)`, until the next call or `release`. */
  bytes: Uint8Array = none;
  length = 0;
  readonly #codec: Codec;
  readonly #cipher: SealCipher;
  #sealed: Uint8Array<ArrayBuffer> = none;
  #plain: Uint8Array<ArrayBuffer> = none;

  constructor(codec: Codec, cipher: SealCipher) {
    this.#codec = codec;
    this.#cipher = cipher;
  }

  /** Decodes the blob `src[offset, offset + length)`; `plainLength` is 0 if it is stored plain. Returns what is wrong. */
  decode(
    src: Uint8Array,
    offset: number,
    length: number,
    plainLength: number,
  ): Exclude<BlobProblem, "content"> | undefined {
    const opened = length - sealOverheadBytes;
    if (opened < 0 || offset + length > src.length) return "length";
    if (opened > blobBytesMax || plainLength > blobBytesMax) return "length";
    if (this.#sealed.length < opened) this.#sealed = new Uint8Array(roomFor(opened));
    if (!this.#cipher.open(src, offset, length, this.#sealed, 0)) return "seal";
    this.bytes = this.#sealed;
    this.length = opened;
    if (plainLength === 0) return undefined;
    // The declared length bounds what is decoded. Memory that the frame does not fill is never touched.
    if (this.#plain.length < plainLength) this.#plain = new Uint8Array(roomFor(plainLength));
    const decoded = this.#codec.decompress(this.#sealed, 0, opened, this.#plain, 0, plainLength);
    if (decoded !== plainLength) return decoded < 0 ? "compression" : "length";
    this.bytes = this.#plain;
    this.length = plainLength;
    return undefined;
  }

  /** Gives back the memory of large blobs; that of small ones is used again. */
  release(): void {
    this.bytes = none;
    this.length = 0;
    if (this.#sealed.length > largeBlobBytesMin) {
      this.#sealed.buffer.transfer(0);
      this.#sealed = none;
    }
    if (this.#plain.length > largeBlobBytesMin) {
      this.#plain.buffer.transfer(0);
      this.#plain = none;
    }
  }
}

/** Small memory grows in steps, so that slowly growing blobs do not allocate each time. */
function roomFor(length: number): number {
  return length > largeBlobBytesMin
    ? length
    : Math.min(largeBlobBytesMin, Math.ceil(length * 1.5) + 4096);
}
