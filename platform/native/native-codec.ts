/** The codec on OpenSSL and zstd functions of Node's executable, with contexts made once per thread. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import {
  assertWithin,
  type Codec,
  type RunningCompressor,
  type RunningDecompressor,
  type RunningSha256,
  type SealCipher,
  type SealKey,
  sealOverheadBytes,
  type TakeBytes,
} from "../ports/codec.ts";
import { BufferAddresses } from "./buffer-address.ts";
import { bindNodeExports, type NodeExports } from "./node-exports.ts";
import { Sha256Lanes } from "./sha256-lanes.ts";
import { ZstdStreams } from "./zstd-streams.ts";

/** Size of OpenSSL's SHA256_CTX is 112 bytes; the rest is margin. */
const sha256ContextBytes = 256;

export class NativeCodec implements Codec {
  readonly name = "native";
  readonly #exports: NodeExports;
  readonly #addresses = new BufferAddresses();
  readonly #compressor: number;
  readonly #decompressor: number;
  readonly #streams: ZstdStreams;
  readonly #lanes: Sha256Lanes | undefined;

  /** Throws where the executable lacks a function. */
  constructor() {
    this.#exports = bindNodeExports();
    this.#compressor = this.#exports.createCompressor();
    this.#decompressor = this.#exports.createDecompressor();
    this.#streams = new ZstdStreams(this.#exports, this.#addresses);
    this.#lanes = Sha256Lanes.open(this.#exports, this.#addresses);
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
    this.#exports.sha256(
      this.#addresses.of(src, offset),
      length,
      this.#addresses.of(out, outOffset),
    );
  }

  startSha256(): RunningSha256 {
    if (this.#lanes !== undefined) return this.#lanes.start();
    const exports = this.#exports;
    const addresses = this.#addresses;
    const context = new Uint8Array(sha256ContextBytes);
    exports.sha256Init(addresses.of(context, 0));
    const update: RunningSha256["update"] = (src, offset, length) => {
      assertWithin(src, offset, length);
      exports.sha256Update(addresses.of(context, 0), addresses.of(src, offset), length);
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
        exports.sha256Final(addresses.of(out, outOffset), addresses.of(context, 0));
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
    const written = this.#exports.compress(
      this.#compressor,
      this.#addresses.of(dst, dstOffset),
      capacity,
      this.#addresses.of(src, offset),
      length,
      level,
    );
    return isZstdError(written) ? -1 : written;
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
    const written = this.#exports.decompress(
      this.#decompressor,
      this.#addresses.of(dst, dstOffset),
      capacity,
      this.#addresses.of(src, offset),
      length,
    );
    return isZstdError(written) ? -1 : written;
  }

  startCompress(level: number, onFrame: TakeBytes): RunningCompressor {
    return this.#streams.startCompress(level, onFrame);
  }

  startDecompress(plainBytesMax: number, onPlain: TakeBytes): RunningDecompressor {
    return this.#streams.startDecompress(plainBytesMax, onPlain);
  }

  openCipher(key: SealKey): SealCipher {
    return new NativeCipher(this.#exports, this.#addresses, key);
  }
}

/** zstd reports errors as -1 … -120 cast to size_t (ZSTD_isError); signed here, hence negative. */
function isZstdError(result: number): boolean {
  return result < 0;
}

/** OpenSSL answers 1; anything else would leave plain or old bytes where sealed ones belong. */
function assertDone(result: number): void {
  if (result !== 1) throw new BackstayError("INTERNAL", { problem: "OpenSSL refused to encrypt" });
}

const openedPieceBytes = 256 * 1024;

/** Layout of a cipher's scratch memory. */
const scratchAt = { polyKey: 0, mac: 32, written: 48, iv: 64, key: 80, polyContext: 128 } as const;

class NativeCipher implements SealCipher {
  readonly #exports: NodeExports;
  readonly #addresses: BufferAddresses;
  readonly #scratch: Uint8Array;
  readonly #scratchAddress: number;
  readonly #ctr: number;
  readonly #ecb: number;

  constructor(exports: NodeExports, addresses: BufferAddresses, key: SealKey) {
    this.#exports = exports;
    this.#addresses = addresses;
    const scratch = new Uint8Array(scratchAt.polyContext + exports.poly1305ContextSize() + 64);
    this.#scratch = scratch;
    // Its own cache entry: the address must stay known whatever buffers pass through the shared one.
    this.#scratchAddress = new BufferAddresses().of(scratch, 0);
    const keyAddress = this.#scratchAddress + scratchAt.key;
    this.#ctr = exports.cipherContextNew();
    scratch.set(key.encrypt, scratchAt.key);
    assertDone(
      exports.encryptInit(this.#ctr, exports.aes256Ctr(), 0, keyAddress, this.#scratchAddress),
    );
    this.#ecb = exports.cipherContextNew();
    scratch.set(key.macK, scratchAt.key);
    assertDone(exports.encryptInit(this.#ecb, exports.aes128Ecb(), 0, keyAddress, 0));
    scratch.fill(0, scratchAt.key, scratchAt.polyContext);
    scratch.set(key.macR, scratchAt.polyKey);
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
    for (let i = 0; i < 16; i += 1) dst[dstOffset + i] = iv[ivOffset + i];
    const target = this.#addresses.of(dst, dstOffset);
    this.#crypt(this.#addresses.of(src, offset), length, target, target + 16);
    this.#authenticate(target, length, target + 16 + length);
  }

  open(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): boolean {
    const plainLength = length - sealOverheadBytes;
    assertWithin(src, offset, length);
    if (plainLength < 0) return false;
    assertWithin(dst, dstOffset, plainLength);
    const source = this.#addresses.of(src, offset);
    if (!this.#isAuthentic(src, offset, source, plainLength)) return false;
    this.#crypt(source + 16, plainLength, source, this.#addresses.of(dst, dstOffset));
    return true;
  }

  openInPieces(src: Uint8Array, offset: number, length: number, onPlain: TakeBytes): boolean {
    const plainLength = length - sealOverheadBytes;
    assertWithin(src, offset, length);
    if (plainLength < 0) return false;
    const source = this.#addresses.of(src, offset);
    if (!this.#isAuthentic(src, offset, source, plainLength)) return false;
    const piece = new Uint8Array(Math.min(plainLength, openedPieceBytes));
    const target = new BufferAddresses().of(piece, 0);
    const { encryptInit, encryptUpdate } = this.#exports;
    const written = this.#scratchAddress + scratchAt.written;
    assertDone(encryptInit(this.#ctr, 0, 0, 0, source));
    for (let at = 0; at < plainLength; at += piece.length) {
      const count = Math.min(piece.length, plainLength - at);
      assertDone(encryptUpdate(this.#ctr, target, written, source + 16 + at, count));
      onPlain(piece, 0, count);
    }
    return true;
  }

  /** True if the MAC of `src[offset …]`, which lies at `source`, is right. */
  #isAuthentic(src: Uint8Array, offset: number, source: number, plainLength: number): boolean {
    this.#authenticate(source, plainLength, this.#scratchAddress + scratchAt.mac);
    let difference = 0;
    for (let i = 0; i < 16; i += 1)
      difference |= this.#scratch[scratchAt.mac + i] ^ src[offset + 16 + plainLength + i];
    return difference === 0;
  }

  /** AES-256-CTR in either direction; `ivAddress` holds the first counter block. */
  #crypt(source: number, length: number, ivAddress: number, target: number): void {
    const { encryptInit, encryptUpdate } = this.#exports;
    assertDone(encryptInit(this.#ctr, 0, 0, 0, ivAddress));
    if (length === 0) return;
    const written = this.#scratchAddress + scratchAt.written;
    assertDone(encryptUpdate(this.#ctr, target, written, source, length));
  }

  /** Poly1305-AES over the ciphertext that follows the IV at `message`. */
  #authenticate(message: number, length: number, target: number): void {
    const scratch = this.#scratchAddress;
    const nonce = scratch + scratchAt.polyKey + 16;
    const written = scratch + scratchAt.written;
    assertDone(this.#exports.encryptUpdate(this.#ecb, nonce, written, message, 16));
    const context = scratch + scratchAt.polyContext;
    this.#exports.poly1305Init(context, scratch + scratchAt.polyKey);
    if (length > 0) this.#exports.poly1305Update(context, message + 16, length);
    this.#exports.poly1305Final(context, target);
  }
}
