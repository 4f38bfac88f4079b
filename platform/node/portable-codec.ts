/** The codec on documented interfaces only: node:crypto, node:zlib and libsodium's Poly1305. */
import { createCipheriv, createHash, hash } from "node:crypto";
import { createRequire } from "node:module";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type sodiumNative from "sodium-native";
import {
  assertWithin,
  type Codec,
  type RunningCompressor,
  type RunningDecompressor,
  type RunningSha256,
  type SealCipher,
  type SealKey,
  sealOverheadBytes,
  streamWindowLogMax,
  type TakeBytes,
} from "../ports/codec.ts";

/** Loaded by the first codec: most processes never need one. */
let sodium: typeof sodiumNative;
const load = createRequire(import.meta.url);

const openedPieceBytes = 1024 * 1024;
/** Windows of up to 512 MiB, as restic reads them. */
const windowLogMax = 29;

export class PortableCodec implements Codec {
  readonly name = "portable";

  constructor() {
    sodium = load("sodium-native") as typeof sodiumNative;
  }

  sha256(
    src: Uint8Array,
    offset: number,
    length: number,
    out: Uint8Array,
    outOffset: number,
  ): void {
    assertWithin(src, offset, length);
    assertWithin(out, outOffset, 32);
    out.set(hash("sha256", src.subarray(offset, offset + length), "buffer"), outOffset);
  }

  startSha256(): RunningSha256 {
    const running = createHash("sha256");
    const update: RunningSha256["update"] = (src, offset, length) => {
      assertWithin(src, offset, length);
      running.update(src.subarray(offset, offset + length));
    };
    return {
      update,
      updateBeside: (src, offset, length, other, otherOffset, otherLength, out, outOffset) => {
        assertWithin(src, offset, length);
        this.sha256(other, otherOffset, otherLength, out, outOffset);
        update(src, offset, length);
      },
      finish: (out, outOffset) => {
        assertWithin(out, outOffset, 32);
        out.set(running.digest(), outOffset);
      },
    };
  }

  compress(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
    capacity: number,
    level: number,
  ): number {
    assertWithin(src, offset, length);
    assertWithin(dst, dstOffset, capacity);
    const frame = encodeFrame(src.subarray(offset, offset + length), level);
    if (frame.length > capacity) return -1;
    dst.set(frame, dstOffset);
    return frame.length;
  }

  decompress(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
    capacity: number,
  ): number {
    assertWithin(src, offset, length);
    assertWithin(dst, dstOffset, capacity);
    const plain = decodeFrames(src.subarray(offset, offset + length), capacity, windowLogMax);
    if (plain === undefined) return -1;
    dst.set(plain, dstOffset);
    return plain.length;
  }

  startCompress(level: number, onFrame: TakeBytes): RunningCompressor {
    const pieces: Uint8Array[] = [];
    return {
      update: (src, offset, length) => {
        assertWithin(src, offset, length);
        pieces.push(Uint8Array.prototype.slice.call(src, offset, offset + length));
      },
      finish: () => {
        const frame = encodeFrame(Buffer.concat(pieces), level);
        onFrame(frame, 0, frame.length);
      },
    };
  }

  startDecompress(plainBytesMax: number, onPlain: TakeBytes): RunningDecompressor {
    const pieces: Uint8Array[] = [];
    return {
      update: (src, offset, length) => {
        assertWithin(src, offset, length);
        pieces.push(Uint8Array.prototype.slice.call(src, offset, offset + length));
        return true;
      },
      finish: () => {
        const plain = decodeFrames(Buffer.concat(pieces), plainBytesMax, streamWindowLogMax);
        if (plain !== undefined && plain.length > 0) onPlain(plain, 0, plain.length);
        return plain !== undefined;
      },
    };
  }

  openCipher(key: SealKey): SealCipher {
    return new PortableCipher(key);
  }
}

function encodeFrame(plain: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(plain, {
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_contentSizeFlag]: 1,
      [constants.ZSTD_c_checksumFlag]: 0,
    },
    pledgedSrcSize: plain.length,
  });
}

/** What the frames hold; undefined if they are damaged or hold more than `bytesMax`. */
function decodeFrames(frames: Uint8Array, bytesMax: number, log: number): Uint8Array | undefined {
  // No frames hold no bytes; zlib calls that a cut frame.
  if (frames.length === 0) return new Uint8Array(0);
  try {
    const { buffer: plain, engine } = zstdDecompressSync(frames, {
      maxOutputLength: Math.max(1, bytesMax),
      params: { [constants.ZSTD_d_windowLogMax]: log },
      info: true,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
    // zlib stops in silence at bytes that begin no frame.
    return plain.length > bytesMax || engine.bytesWritten !== frames.length ? undefined : plain;
  } catch {
    // Damaged, truncated or too long: zlib has an error code for each, the caller needs none of them.
    return undefined;
  }
}

class PortableCipher implements SealCipher {
  readonly #encrypt: Uint8Array;
  readonly #macK: Uint8Array;
  readonly #macR: Uint8Array;

  constructor(key: SealKey) {
    this.#encrypt = Uint8Array.from(key.encrypt);
    this.#macK = Uint8Array.from(key.macK);
    this.#macR = Uint8Array.from(key.macR);
  }

  seal(
    src: Uint8Array,
    offset: number,
    length: number,
    iv: Uint8Array,
    ivOffset: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void {
    assertWithin(src, offset, length);
    assertWithin(iv, ivOffset, 16);
    assertWithin(dst, dstOffset, length + sealOverheadBytes);
    const nonce = Uint8Array.prototype.slice.call(iv, ivOffset, ivOffset + 16);
    const cipher = createCipheriv("aes-256-ctr", this.#encrypt, nonce);
    dst.set(nonce, dstOffset);
    dst.set(cipher.update(src.subarray(offset, offset + length)), dstOffset + 16);
    const message = dst.subarray(dstOffset + 16, dstOffset + 16 + length);
    dst.set(this.#authenticate(nonce, message), dstOffset + 16 + length);
  }

  open(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean {
    assertWithin(src, offset, length);
    if (length < sealOverheadBytes) return false;
    assertWithin(dst, dstOffset, length - sealOverheadBytes);
    let at = dstOffset;
    return this.openInPieces(src, offset, length, (piece, from, count) => {
      dst.set(piece.subarray(from, from + count), at);
      at += count;
    });
  }

  openInPieces(src: Uint8Array, offset: number, length: number, onPlain: TakeBytes): boolean {
    assertWithin(src, offset, length);
    const end = offset + length - 16;
    if (length < sealOverheadBytes) return false;
    const nonce = src.subarray(offset, offset + 16);
    const mac = this.#authenticate(nonce, src.subarray(offset + 16, end));
    if (!sodium.sodium_memcmp(mac, src.subarray(end, offset + length))) return false;
    const cipher = createCipheriv("aes-256-ctr", this.#encrypt, nonce);
    for (let at = offset + 16; at < end; at += openedPieceBytes) {
      const piece = cipher.update(src.subarray(at, Math.min(end, at + openedPieceBytes)));
      onPlain(piece, 0, piece.length);
    }
    return true;
  }

  #authenticate(nonce: Uint8Array, message: Uint8Array): Buffer {
    const block = createCipheriv("aes-128-ecb", this.#macK, null).setAutoPadding(false);
    const key = Buffer.concat([this.#macR, block.update(nonce)]);
    const mac = Buffer.alloc(16);
    sodium.crypto_onetimeauth(mac, message, key);
    return mac;
  }
}
