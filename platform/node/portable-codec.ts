/** The codec on documented interfaces only: node:crypto, node:zlib and libsodium's Poly1305. */
import { createCipheriv, createHash, hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import sodium from "sodium-native";
import {
  assertWithin,
  type Codec,
  type RunningSha256,
  type SealCipher,
  type SealKey,
  sealOverheadBytes,
} from "../ports/codec.ts";

/** Windows of up to 512 MiB, as restic reads them. */
const windowLogMax = 29;

export class PortableCodec implements Codec {
  readonly name = "portable";

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
    const frame = zstdCompressSync(src.subarray(offset, offset + length), {
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_contentSizeFlag]: 1,
        [constants.ZSTD_c_checksumFlag]: 0,
      },
      pledgedSrcSize: length,
    });
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
    // No frames hold no bytes; zlib calls that a cut frame.
    if (length === 0) return 0;
    try {
      const { buffer: plain, engine } = zstdDecompressSync(src.subarray(offset, offset + length), {
        maxOutputLength: Math.max(1, capacity),
        params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
        info: true,
      }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
      // zlib stops in silence at bytes that begin no frame.
      if (plain.length > capacity || engine.bytesWritten !== length) return -1;
      dst.set(plain, dstOffset);
      return plain.length;
    } catch {
      // Damaged, truncated or too long: zlib has an error code for each, the caller needs none of them.
      return -1;
    }
  }

  openCipher(key: SealKey): SealCipher {
    return new PortableCipher(key);
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
    const plainLength = length - sealOverheadBytes;
    assertWithin(src, offset, length);
    if (plainLength < 0) return false;
    assertWithin(dst, dstOffset, plainLength);
    const nonce = src.subarray(offset, offset + 16);
    const message = src.subarray(offset + 16, offset + 16 + plainLength);
    const mac = src.subarray(offset + 16 + plainLength, offset + length);
    if (!sodium.sodium_memcmp(this.#authenticate(nonce, message), mac)) return false;
    dst.set(createCipheriv("aes-256-ctr", this.#encrypt, nonce).update(message), dstOffset);
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
