/** The codec on documented interfaces only: node:crypto, node:zlib and libsodium's Poly1305. */
import { createCipheriv, createHash, hash } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import sodium from "sodium-native";
import type { Codec, RunningSha256, SealCipher, SealKey } from "../ports/codec.ts";

export class PortableCodec implements Codec {
  readonly name = "portable";

  sha256(src: Uint8Array, offset: number, length: number, out: Uint8Array, outOffset: number): void {
    out.set(hash("sha256", src.subarray(offset, offset + length), "buffer"), outOffset);
  }

  startSha256(): RunningSha256 {
    const running = createHash("sha256");
    return {
      update: (src, offset, length) => {
        running.update(src.subarray(offset, offset + length));
      },
      finish: (out, outOffset) => {
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
    try {
      const plain = zstdDecompressSync(src.subarray(offset, offset + length), {
        maxOutputLength: Math.max(1, capacity),
        params: { [constants.ZSTD_d_windowLogMax]: 27 },
      });
      if (plain.length > capacity) return -1;
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
    const plainLength = length - 32;
    if (plainLength < 0) return false;
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
