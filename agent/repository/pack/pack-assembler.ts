/**
 * Fills one pack in memory: compresses, seals and lays out blobs, and before the pack may leave, opens
 * and hashes every blob again (a compressor's bug or a flipped bit must not reach the repository).
 */
import { openCodec } from "../../../platform/open-codec.ts";
import type { Codec, SealCipher } from "../../../platform/ports/codec.ts";
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
import { idToHex } from "../id.ts";
import { compressedEntryBytes, headerFrameBytes, writeHeaderEntry } from "./pack-header.ts";

/** Size at which a pack is closed, as restic's default. */
export const packBytesTarget = 16 * 1024 * 1024;
/** Largest blob that goes into a shared pack. */
export const packedBlobBytesMax = 8 * 1024 * 1024;
/** Blobs in a pack at most: keeps headers small. */
const packedBlobsMax = 32768;
/** Memory for a pack: the target, one blob beyond it, and the header. */
export const packBufferBytes =
  packBytesTarget +
  packedBlobBytesMax +
  sealOverheadBytes +
  packedBlobsMax * compressedEntryBytes +
  headerFrameBytes;

/** A complete pack: `bytes[0 … length)` of its buffer is the file. */
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

  /** Begins a pack in `buffer`, of `packBufferBytes` or what one blob larger than usual needs. */
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
    const compressed = this.#compress(src, offset, length, pack, at + 16, isTree);
    const iv = this.#iv.next();
    if (compressed > 0) this.#cipher.seal(pack, at + 16, compressed, this.#iv.bytes, iv, pack, at);
    else this.#cipher.seal(src, offset, length, this.#iv.bytes, iv, pack, at);
    const stored = (compressed > 0 ? compressed : length) + sealOverheadBytes;
    this.#note(ids, idOffset, isTree, stored, compressed > 0 ? length : 0);
    this.#plainBytes += length;
    return stored;
  }

  /** Verifies every blob, writes the header and gives the pack its id. The assembler is then without buffer. */
  finish(): FinishedPack {
    const pack = this.#openPack();
    this.#verify(pack);
    const header = new Uint8Array(this.#header.buffer, 0, this.#headerLength);
    const at = this.#position;
    this.#cipher.seal(header, 0, header.length, this.#iv.bytes, this.#iv.next(), pack, at);
    const sealedHeader = header.length + sealOverheadBytes;
    const view = new DataView(pack.buffer, pack.byteOffset, pack.length);
    view.setUint32(at + sealedHeader, sealedHeader, true);
    const length = at + sealedHeader + 4;
    const id = new Uint8Array(32);
    this.codec.sha256(pack, 0, length, id, 0);
    this.#pack = undefined;
    const { blobs, plainBytes } = { blobs: this.#blobs, plainBytes: this.#plainBytes };
    return { id, length, header: header.slice(), blobs, plainBytes };
  }

  /** Bytes of the compressed blob at `pack[at]`, or 0 if it is to be stored plain. */
  #compress(
    src: Uint8Array,
    offset: number,
    length: number,
    pack: Uint8Array,
    at: number,
    isTree: boolean,
  ): number {
    const level = isTree ? treeLevel(this.#mode) : dataLevel(this.#mode, length);
    if (level === undefined || length < 16) return 0;
    if (!isTree && !looksCompressible(this.codec, src, offset, length, this.#probe)) return 0;
    const room = isTree ? pack.length - at : length - 4;
    return Math.max(0, this.codec.compress(src, offset, length, pack, at, room, level));
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

  #verify(pack: Uint8Array): void {
    const header = this.#header;
    const bytes = new Uint8Array(header.buffer);
    let offset = 0;
    for (let at = 0; at < this.#headerLength; ) {
      const isCompressed = header.getUint8(at) >= 2;
      const stored = header.getUint32(at + 1, true);
      const plainLength = isCompressed ? header.getUint32(at + 5, true) : 0;
      const idAt = at + (isCompressed ? 9 : 5);
      const opened = this.#opener.tryOpen(pack, offset, stored, plainLength, bytes, idAt);
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
