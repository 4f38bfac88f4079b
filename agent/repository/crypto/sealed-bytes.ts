/** Sealing and opening of small messages as whole arrays: keys, config, and unpacked files. */

import { openCodec } from "../../../platform/open-codec.ts";
import type { Codec, SealCipher } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import type { MasterKey } from "./master-key.ts";
import { RandomIv } from "./random-iv.ts";

/** The codec bound to one key. */
export class Sealer {
  readonly codec: Codec;
  readonly cipher: SealCipher;
  readonly #iv = new RandomIv();

  constructor(key: MasterKey, codec: Codec = openCodec()) {
    this.codec = codec;
    this.cipher = codec.openCipher(key);
  }

  /** `IV ‖ ciphertext ‖ MAC` of `plain`, under a fresh random IV. */
  seal(plain: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plain.length + sealOverheadBytes);
    this.sealInto(plain, 0, plain.length, sealed, 0);
    return sealed;
  }

  /** Writes `length + 32` sealed bytes to `dst`. */
  sealInto(
    src: Uint8Array,
    offset: number,
    length: number,
    dst: Uint8Array,
    dstOffset: number,
  ): void {
    this.cipher.seal(src, offset, length, this.#iv.bytes, this.#iv.next(), dst, dstOffset);
  }

  /** The plain bytes, or undefined if the MAC is wrong or the message too short. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < sealOverheadBytes) return undefined;
    const plain = new Uint8Array(sealed.length - sealOverheadBytes);
    return this.cipher.open(sealed, 0, sealed.length, plain, 0) ? plain : undefined;
  }
}

/** SHA-256 as a new array. */
export function sha256(codec: Codec, bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  codec.sha256(bytes, 0, bytes.length, digest, 0);
  return digest;
}
