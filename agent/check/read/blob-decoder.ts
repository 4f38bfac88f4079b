/** Opens sealed blobs, decompresses them and hashes them, within memory that is bounded. */
import type { Codec, SealCipher, TakeBytes } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { type BlobProblem, blobBytesMax } from "../../repository/blob/blob-opener.ts";
import { largeBlobBytesMin } from "./check-messages.ts";

const none = new Uint8Array(0);

/** True for blobs that are decoded piece by piece. */
export function isLarge(length: number, plainLength: number): boolean {
  return Math.max(length, plainLength) > largeBlobBytesMin;
}

/** Memory that a large blob takes besides its sealed bytes: trees are held whole, data are not. */
export function decodingBytes(isTree: boolean, length: number, plainLength: number): number {
  return isTree ? Math.max(length, plainLength) : 0;
}

/** Where a sealed blob lies in an array, and what it must hold. */
export interface SealedBlob {
  readonly offset: number;
  readonly length: number;
  /** 0 if it is stored plain. */
  readonly plainLength: number;
  readonly isTree: boolean;
}

/** One per thread. */
export class BlobDecoder {
  /** After `decode`, and after `decodeLarge` of a tree: the blob is `bytes[0, length)`, until the next call or `release`. */
  bytes: Uint8Array = none;
  length = 0;
  readonly #codec: Codec;
  readonly #cipher: SealCipher;
  #sealed = new Uint8Array(64 * 1024);
  #plain = new Uint8Array(64 * 1024);
  #large: Uint8Array<ArrayBuffer> = none;

  constructor(codec: Codec, cipher: SealCipher) {
    this.#codec = codec;
    this.#cipher = cipher;
  }

  /** Decodes a blob that is not large; hashing it is the caller's. Returns what is wrong. */
  decode(src: Uint8Array, { offset, length, plainLength }: SealedBlob): BlobProblem | undefined {
    const opened = length - sealOverheadBytes;
    if (opened < 0 || offset + length > src.length) return "length";
    if (this.#sealed.length < opened) this.#sealed = new Uint8Array(roomFor(opened));
    if (!this.#cipher.open(src, offset, length, this.#sealed, 0)) return "seal";
    this.bytes = this.#sealed;
    this.length = opened;
    if (plainLength === 0) return undefined;
    // The declared length bounds what is decoded.
    if (this.#plain.length < plainLength) this.#plain = new Uint8Array(roomFor(plainLength));
    const decoded = this.#codec.decompress(this.#sealed, 0, opened, this.#plain, 0, plainLength);
    if (decoded !== plainLength) return decoded < 0 ? "compression" : "length";
    this.bytes = this.#plain;
    this.length = plainLength;
    return undefined;
  }

  /** Decodes and hashes a large blob; `release` after it. Returns what is wrong, but for the content. */
  decodeLarge(src: Uint8Array, blob: SealedBlob, digest: Uint8Array): BlobProblem | undefined {
    const { offset, length, plainLength, isTree } = blob;
    const opened = length - sealOverheadBytes;
    if (opened < 0 || offset + length > src.length) return "length";
    if (opened > blobBytesMax || plainLength > blobBytesMax) return "length";
    const expected = plainLength > 0 ? plainLength : opened;
    // Memory that the blob does not fill, whatever it claims, is never touched.
    if (isTree) this.#large = new Uint8Array(expected);
    const hash = this.#codec.startSha256();
    let decoded = 0;
    const take: TakeBytes = (bytes, start, count) => {
      hash.update(bytes, start, count);
      if (isTree && decoded + count <= expected)
        this.#large.set(bytes.subarray(start, start + count), decoded);
      decoded += count;
    };
    const frames = plainLength > 0 ? this.#codec.startDecompress(plainLength, take) : undefined;
    const isSealed = this.#cipher.openInPieces(src, offset, length, (bytes, start, count) =>
      frames === undefined ? take(bytes, start, count) : frames.update(bytes, start, count),
    );
    const areWhole = frames === undefined || frames.finish();
    hash.finish(digest, 0);
    if (!isSealed) return "seal";
    if (!areWhole) return "compression";
    if (decoded !== expected) return "length";
    this.bytes = this.#large;
    this.length = isTree ? expected : 0;
    return undefined;
  }

  /** Gives back the memory of a large blob; that of small ones is used again. */
  release(): void {
    this.bytes = none;
    this.length = 0;
    if (this.#large.length > 0) this.#large.buffer.transfer(0);
    this.#large = none;
  }
}

/** Memory grows in steps, so that slowly growing blobs do not allocate each time. */
function roomFor(length: number): number {
  return Math.min(largeBlobBytesMin, Math.ceil(length * 1.5) + 4096);
}
