/** Turns a sealed blob back into its bytes and proves that they are the right ones. */

import type { Codec, RunningSha256, SealCipher, TakeBytes } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { MasterKey } from "../crypto/master-key.ts";
import { idToHex } from "../id.ts";

/** Largest plain blob that is decoded: the tree of a folder of two million entries. */
export const blobBytesMax = 768 * 1024 * 1024;

/** Blobs above this, sealed or plain, are opened piece by piece, into memory of their own. */
export const largeBlobBytesMin = 16 * 1024 * 1024;

const empty = new Uint8Array(0);

/** Why a blob could not be opened. */
export type BlobProblem = "seal" | "compression" | "length" | "content";

/** Where a sealed blob lies, and what it must be. */
export interface SealedBlob {
  readonly offset: number;
  readonly storedLength: number;
  /** 0 if it is stored plain. */
  readonly plainLength: number;
  readonly id: Uint8Array;
}

/** True for blobs above `largeBlobBytesMin`. */
export function isLargeBlob(storedLength: number, plainLength: number): boolean {
  return Math.max(storedLength, plainLength) > largeBlobBytesMin;
}

/** One per thread. Keeps two buffers that grow to the largest blob seen that is not large. */
export class BlobOpener {
  readonly codec: Codec;
  readonly #cipher: SealCipher;
  readonly #digest = new Uint8Array(32);
  #sealedPlain: Uint8Array = empty;
  #plain: Uint8Array = empty;

  constructor(codec: Codec, key: MasterKey) {
    this.codec = codec;
    this.#cipher = codec.openCipher(key);
  }

  /**
   * The blob's bytes: a view that is valid until the next call, or of a large blob the caller's own memory.
   * `plainLength` is 0 for a blob stored plain.
   * Throws REPOSITORY_DAMAGED naming the blob if seal, compression, length or content is wrong.
   */
  open(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
    ids: Uint8Array,
    idOffset: number,
  ): Uint8Array {
    const opened = this.tryOpen(src, offset, storedLength, plainLength, ids, idOffset);
    if (typeof opened !== "string") return opened;
    throw new BackstayError("REPOSITORY_DAMAGED", {
      blob: idToHex(ids, idOffset),
      problem: describeBlobProblem(opened),
    });
  }

  /**
   * As `open`, but returns what is wrong instead of throwing. A digest of the sealed bytes that is wanted too goes on
   * in `beside`, unless something is wrong: two at once take less time than one after the other.
   */
  tryOpen(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
    ids: Uint8Array,
    idOffset: number,
    beside?: RunningSha256,
  ): Uint8Array | BlobProblem {
    if (isLargeBlob(storedLength, plainLength)) {
      const large = this.#openLarge(src, offset, storedLength, plainLength);
      if (typeof large !== "string") beside?.update(src, offset, storedLength);
      return this.#proved(large, ids, idOffset);
    }
    const plain = this.decode(src, offset, storedLength, plainLength);
    if (typeof plain === "string") return plain;
    const { length } = plain;
    if (beside === undefined) this.codec.sha256(plain, 0, length, this.#digest, 0);
    else beside.updateBeside(src, offset, storedLength, plain, 0, length, this.#digest, 0);
    return this.#proved(plain, ids, idOffset);
  }

  /**
   * Two blobs of `src`, as `tryOpen` opens them, the second by another opener: hashed side by side they take little
   * longer than one.
   */
  tryOpenBoth(
    src: Uint8Array,
    first: SealedBlob,
    other: BlobOpener,
    second: SealedBlob,
  ): readonly [Uint8Array | BlobProblem, Uint8Array | BlobProblem] {
    const isAlone = ({ storedLength, plainLength }: SealedBlob): boolean =>
      isLargeBlob(storedLength, plainLength);
    if (isAlone(first) || isAlone(second))
      return [this.#tryOpenOne(src, first), other.#tryOpenOne(src, second)];
    const one = this.decode(src, first.offset, first.storedLength, first.plainLength);
    const two = other.decode(src, second.offset, second.storedLength, second.plainLength);
    if (typeof one === "string" || typeof two === "string") {
      if (typeof one !== "string") this.codec.sha256(one, 0, one.length, this.#digest, 0);
      if (typeof two !== "string") this.codec.sha256(two, 0, two.length, other.#digest, 0);
    } else {
      const hash = this.codec.startSha256();
      hash.updateBeside(one, 0, one.length, two, 0, two.length, other.#digest, 0);
      hash.finish(this.#digest, 0);
    }
    return [this.#proved(one, first.id, 0), other.#proved(two, second.id, 0)];
  }

  #tryOpenOne(src: Uint8Array, blob: SealedBlob): Uint8Array | BlobProblem {
    const { offset, storedLength, plainLength, id } = blob;
    return this.tryOpen(src, offset, storedLength, plainLength, id, 0);
  }

  /** A blob that is not large, not yet compared with its id: a view that is valid until the next call. Returns what is wrong. */
  decode(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
  ): Uint8Array | BlobProblem {
    const sealedLength = storedLength - sealOverheadBytes;
    if (sealedLength < 0 || offset + storedLength > src.length) return "length";
    if (this.#sealedPlain.length < sealedLength)
      this.#sealedPlain = new Uint8Array(roomFor(sealedLength));
    if (!this.#cipher.open(src, offset, storedLength, this.#sealedPlain, 0)) return "seal";
    if (plainLength === 0) return this.#sealedPlain.subarray(0, sealedLength);
    // The declared length bounds what is decoded.
    if (this.#plain.length < plainLength) this.#plain = new Uint8Array(roomFor(plainLength));
    const { codec } = this;
    const length = codec.decompress(
      this.#sealedPlain,
      0,
      sealedLength,
      this.#plain,
      0,
      plainLength,
    );
    if (length === plainLength) return this.#plain.subarray(0, plainLength);
    return length < 0 ? "compression" : "length";
  }

  /**
   * What is wrong with a blob, undefined if nothing is. Decodes it piece by piece, so that no blob is too long.
   * Arguments as for `open`.
   */
  verify(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
    ids: Uint8Array,
    idOffset: number,
  ): BlobProblem | undefined {
    const problem = this.#openInPieces(src, offset, storedLength, plainLength, undefined);
    return problem ?? (this.#isDigest(ids, idOffset) ? undefined : "content");
  }

  /** Makes what the last call returned the caller's own: a copy, but for large blobs, which are that already. */
  keep(opened: Uint8Array): Uint8Array {
    const isOwn =
      opened.buffer !== this.#plain.buffer && opened.buffer !== this.#sealedPlain.buffer;
    return isOwn ? opened : opened.slice();
  }

  #openLarge(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
  ): Uint8Array | BlobProblem {
    const length = plainLength === 0 ? storedLength - sealOverheadBytes : plainLength;
    if (length < 0 || length > blobBytesMax) return "length";
    // Memory that the blob does not fill, whatever it claims, is never touched.
    const plain = new Uint8Array(length);
    return this.#openInPieces(src, offset, storedLength, plainLength, plain) ?? plain;
  }

  /** Leaves the digest of a blob in `#digest` and its bytes in `plain`, if that is given. Returns what is wrong. */
  #openInPieces(
    src: Uint8Array,
    offset: number,
    storedLength: number,
    plainLength: number,
    plain: Uint8Array | undefined,
  ): BlobProblem | undefined {
    const sealedLength = storedLength - sealOverheadBytes;
    if (sealedLength < 0 || offset + storedLength > src.length) return "length";
    if (sealedLength > blobBytesMax || plainLength > blobBytesMax) return "length";
    const expected = plainLength > 0 ? plainLength : sealedLength;
    const hash = this.codec.startSha256();
    let decoded = 0;
    const take: TakeBytes = (bytes, start, length) => {
      hash.update(bytes, start, length);
      if (plain !== undefined && decoded + length <= expected)
        plain.set(bytes.subarray(start, start + length), decoded);
      decoded += length;
    };
    const frames = plainLength > 0 ? this.codec.startDecompress(plainLength, take) : undefined;
    const isSealed = this.#cipher.openInPieces(src, offset, storedLength, (bytes, start, length) =>
      frames === undefined ? take(bytes, start, length) : frames.update(bytes, start, length),
    );
    const areWhole = frames === undefined || frames.finish();
    hash.finish(this.#digest, 0);
    if (!isSealed) return "seal";
    if (!areWhole) return "compression";
    return decoded === expected ? undefined : "length";
  }

  #proved(
    opened: Uint8Array | BlobProblem,
    ids: Uint8Array,
    idOffset: number,
  ): Uint8Array | BlobProblem {
    return typeof opened === "string" || this.#isDigest(ids, idOffset) ? opened : "content";
  }

  #isDigest(ids: Uint8Array, idOffset: number): boolean {
    for (let i = 0; i < 32; i += 1) if (this.#digest[i] !== ids[idOffset + i]) return false;
    return true;
  }
}

export function describeBlobProblem(problem: BlobProblem): string {
  return {
    seal: "its seal is broken",
    compression: "it does not decompress to its declared length",
    length: "its length is wrong",
    content: "its content is not what its id says",
  }[problem];
}

/** Buffers grow in steps, so that slowly growing blobs do not allocate each time. */
function roomFor(length: number): number {
  return Math.min(largeBlobBytesMin, Math.ceil(length * 1.5) + 4096);
}
