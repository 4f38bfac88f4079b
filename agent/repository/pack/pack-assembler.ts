/**
 * Fills one pack in memory: compresses, seals and lays out blobs, and before the pack may leave, opens
 * and hashes every blob again (a compressor's bug or a flipped bit must not reach the repository).
 */
import { openCodec } from "../../../platform/open-codec.ts";
import type { Codec, RunningSha256, SealCipher } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { BlobOpener, describeBlobProblem } from "../blob/blob-opener.ts";
import {
  type CompressionMode,
  dataLevel,
  looksCompressible,
  treeLevel,
} from "../blob/compression.ts";
import type { MasterKey } from "../crypto/master-key.ts";
import { RandomIv } from "../crypto/random-iv.ts";
import { EncodedBytes } from "../encoded-bytes.ts";
import { idToHex } from "../id.ts";
import { compressedEntryBytes, headerFrameBytes, writeHeaderEntry } from "./pack-header.ts";

/** Size at which a pack is closed, as restic's default. */
export const packBytesTarget = 16 * 1024 * 1024;
/** Largest blob that goes into a shared pack. */
export const packedBlobBytesMax = 8 * 1024 * 1024;
/** Shorter data is not worth a frame. */
const compressedBlobBytesMin = 16;
/** Blobs in a pack at most: keeps headers small. */
const packedBlobsMax = 32768;
/** Memory for a pack: the target, one blob beyond it, and the header. */
export const packBufferBytes =
  packBytesTarget +
  storedBytesMax(packedBlobBytesMax) +
  packedBlobsMax * compressedEntryBytes +
  headerFrameBytes;

/** Most bytes that a blob of `length` takes in a pack. Trees are compressed even where that makes them longer. */
function storedBytesMax(length: number): number {
  return length + (length >> 7) + 512 + sealOverheadBytes;
}

/** Blobs above this size are verified piece by piece. */
const openedBytesMax = packedBlobBytesMax + sealOverheadBytes;

/** Bytes of the header that one blob needs, and of what closes a pack. */
const closingBytesMax = compressedEntryBytes + headerFrameBytes;

/** Memory for a pack of one blob: `length` is that of its bytes as they are, or that of a large tree compressed. */
export function packBufferBytesFor(length: number): number {
  return storedBytesMax(length) + closingBytesMax;
}

/** A complete pack: the first `length` bytes of its buffer are the file. */
export interface FinishedPack {
  /** Id of the pack, 32 bytes. */
  readonly id: Uint8Array;
  readonly length: number;
  /** Plain header, for the index. */
  readonly header: Uint8Array;
  readonly blobs: number;
  /** Bytes of all its blobs before compression. */
  readonly plainBytes: number;
}

/** From this average size on, blobs are hashed beside their pack; smaller ones cost more calls than that saves. */
const besideBytesMin = 32 * 1024;

export class PackAssembler {
  readonly codec: Codec;
  readonly #cipher: SealCipher;
  readonly #opener: BlobOpener;
  readonly #mode: CompressionMode;
  readonly #iv = new RandomIv();
  readonly #probe = new Uint8Array(16 * 1024);
  #header = new DataView(new ArrayBuffer(64 * 1024));
  #headerLength = 0;
  #pack: Uint8Array | undefined;
  #position = 0;
  #blobs = 0;
  #plainBytes = 0;

  constructor(key: MasterKey, mode: CompressionMode, codec: Codec = openCodec()) {
    this.codec = codec;
    this.#mode = mode;
    this.#cipher = codec.openCipher(key);
    this.#opener = new BlobOpener(codec, key);
  }

  /** True if there is a buffer to fill. */
  get isOpen(): boolean {
    return this.#pack !== undefined;
  }

  get isEmpty(): boolean {
    return this.#blobs === 0;
  }

  /** True if the pack must be finished before the next blob. */
  get isFull(): boolean {
    return this.#position >= packBytesTarget || this.#blobs >= packedBlobsMax;
  }

  /** Begins a pack in `buffer`, of `packBufferBytes` or, for one larger blob, `packBufferBytesFor`. */
  begin(buffer: Uint8Array): void {
    this.#pack = buffer;
    this.#position = 0;
    this.#blobs = 0;
    this.#plainBytes = 0;
    this.#headerLength = 0;
  }

  /** Adds the blob `src[offset, offset + length)`, whose id stands at `ids[idOffset]`; returns its sealed bytes. */
  add(
    src: Uint8Array,
    offset: number,
    length: number,
    ids: Uint8Array,
    idOffset: number,
    isTree: boolean,
  ): number {
    const pack = this.#openPack();
    const at = this.#position;
    const end = at + storedBytesMax(length) + this.#headerLength + closingBytesMax;
    if (end > pack.length)
      throw new BackstayError("INTERNAL", { problem: "a blob does not fit in its pack", length });
    const compressed = this.#compress(src, offset, length, pack, at + 16, isTree);
    const iv = this.#iv.next();
    if (compressed > 0) this.#cipher.seal(pack, at + 16, compressed, this.#iv.bytes, iv, pack, at);
    else this.#cipher.seal(src, offset, length, this.#iv.bytes, iv, pack, at);
    const stored = (compressed > 0 ? compressed : length) + sealOverheadBytes;
    this.#note(ids, idOffset, isTree, stored, compressed > 0 ? length : 0);
    this.#plainBytes += length;
    return stored;
  }

  /** Begins a tree above `packedBlobBytesMax`, for `addLarge`; it needs no open pack until then. */
  startLargeTree(): EncodedBytes {
    return new EncodedBytes(this.codec, treeLevel(this.#mode));
  }

  /** Adds a finished tree, and takes its memory; returns its sealed bytes. The pack has room for its compressed length. */
  addLargeTree(tree: EncodedBytes): number {
    const pack = this.#openPack();
    const at = this.#position;
    const length = tree.encodedLength;
    const stored = length + sealOverheadBytes;
    if (at + stored + this.#headerLength + closingBytesMax > pack.length)
      throw new BackstayError("INTERNAL", { problem: "a tree does not fit in its pack", length });
    tree.moveTo(pack, at + 16);
    this.#cipher.seal(pack, at + 16, length, this.#iv.bytes, this.#iv.next(), pack, at);
    this.#note(tree.id, 0, true, stored, tree.plainLength);
    this.#plainBytes += tree.plainLength;
    return stored;
  }

  /**
   * Verifies every blob, writes the header and gives the pack its id. The assembler is then without buffer.
   * VERIFY_FAILED if a blob or the header does not decode to what it was made from.
   */
  finish(): FinishedPack {
    const pack = this.#openPack();
    if (this.#blobs === 0) throw new BackstayError("INTERNAL", { problem: "a pack without blobs" });
    const running =
      this.#position / this.#blobs >= besideBytesMin ? this.codec.startSha256() : undefined;
    this.#verify(pack, running);
    const header = new Uint8Array(this.#header.buffer, 0, this.#headerLength);
    const at = this.#position;
    this.#cipher.seal(header, 0, header.length, this.#iv.bytes, this.#iv.next(), pack, at);
    const sealedHeader = header.length + sealOverheadBytes;
    const opened = new Uint8Array(header.length);
    if (
      !this.#cipher.open(pack, at, sealedHeader, opened, 0) ||
      Buffer.compare(opened, header) !== 0
    )
      throw new BackstayError("VERIFY_FAILED", { problem: "the header of a pack" });
    const view = new DataView(pack.buffer, pack.byteOffset, pack.length);
    view.setUint32(at + sealedHeader, sealedHeader, true);
    const length = at + sealedHeader + 4;
    const id = new Uint8Array(32);
    if (running === undefined) {
      this.codec.sha256(pack, 0, length, id, 0);
    } else {
      running.update(pack, at, length - at);
      running.finish(id, 0);
    }
    this.#pack = undefined;
    const { blobs, plainBytes } = { blobs: this.#blobs, plainBytes: this.#plainBytes };
    return { id, length, header: opened, blobs, plainBytes };
  }

  /**
   * Bytes of the compressed blob at `pack[at]`, or 0 if it is to be stored plain. Trees never are, however small:
   * restic's prune would rewrite their pack each time.
   */
  #compress(
    src: Uint8Array,
    offset: number,
    length: number,
    pack: Uint8Array,
    at: number,
    isTree: boolean,
  ): number {
    if (length === 0) return 0;
    if (isTree) {
      const room = storedBytesMax(length) - sealOverheadBytes;
      const level = treeLevel(this.#mode);
      const written = this.codec.compress(src, offset, length, pack, at, room, level);
      if (written < 0) throw new BackstayError("INTERNAL", { problem: "zstd wants more room" });
      return written;
    }
    const level = dataLevel(this.#mode, length);
    if (level === undefined || length < compressedBlobBytesMin) return 0;
    if (!looksCompressible(this.codec, src, offset, length, this.#probe)) return 0;
    return Math.max(0, this.codec.compress(src, offset, length, pack, at, length - 4, level));
  }

  #note(
    ids: Uint8Array,
    idOffset: number,
    isTree: boolean,
    stored: number,
    plainLength: number,
  ): void {
    if (this.#headerLength + compressedEntryBytes > this.#header.byteLength) {
      const grown = new Uint8Array(this.#header.byteLength * 2);
      grown.set(new Uint8Array(this.#header.buffer));
      this.#header = new DataView(grown.buffer);
    }
    this.#headerLength = writeHeaderEntry(
      this.#header,
      this.#headerLength,
      ids,
      idOffset,
      isTree,
      stored,
      plainLength,
    );
    this.#position += stored;
    this.#blobs += 1;
  }

  /** Opens and hashes every blob; the pack's own digest goes along in `running`. */
  #verify(pack: Uint8Array, running: RunningSha256 | undefined): void {
    const header = this.#header;
    const bytes = new Uint8Array(header.buffer);
    let offset = 0;
    for (let at = 0; at < this.#headerLength; ) {
      const isCompressed = header.getUint8(at) >= 2;
      const stored = header.getUint32(at + 1, true);
      const plainLength = isCompressed ? header.getUint32(at + 5, true) : 0;
      const idAt = at + (isCompressed ? 9 : 5);
      const isLarge = Math.max(stored, plainLength) > openedBytesMax;
      const opened = isLarge
        ? this.#opener.verify(pack, offset, stored, plainLength, bytes, idAt)
        : this.#opener.tryOpen(pack, offset, stored, plainLength, bytes, idAt, running);
      if (isLarge) running?.update(pack, offset, stored);
      if (typeof opened === "string")
        throw new BackstayError("VERIFY_FAILED", {
          blob: idToHex(bytes, idAt),
          problem: describeBlobProblem(opened),
        });
      offset += stored;
      at = idAt + 32;
    }
  }

  #openPack(): Uint8Array {
    if (this.#pack === undefined) throw new BackstayError("INTERNAL", { problem: "no pack open" });
    return this.#pack;
  }
}
