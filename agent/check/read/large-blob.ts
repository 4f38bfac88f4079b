/** Opens blobs that are too large for memory that is kept from blob to blob. */
import type { Codec, SealCipher } from "../../../platform/ports/codec.ts";
import { sealOverheadBytes } from "../../../platform/ports/codec.ts";
import { type BlobProblem, blobBytesMax } from "../../repository/blob/blob-opener.ts";

/** A sealed blob: its place in `bytes`, plain length (0: stored plain), and id. */
export interface SealedBlob {
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  readonly plainLength: number;
  readonly ids: Uint8Array;
  readonly idOffset: number;
}

/** Memory that opening a blob takes besides its sealed bytes. */
export function openingBytes(length: number, plainLength: number): number {
  return length + plainLength;
}

/**
 * Opens a blob and shows its bytes to `use`, which may not keep them. Returns what is wrong with the blob instead of
 * calling `use`. The memory is given back before this returns.
 */
export function useLargeBlob(
  codec: Codec,
  cipher: SealCipher,
  blob: SealedBlob,
  use: (plain: Uint8Array) => void,
): BlobProblem | undefined {
  const { bytes, offset, length, plainLength, ids, idOffset } = blob;
  const opened = length - sealOverheadBytes;
  if (opened < 0 || offset + length > bytes.length) return "length";
  if (opened > blobBytesMax || plainLength > blobBytesMax) return "length";
  const sealed = new Uint8Array(opened);
  const plain = new Uint8Array(plainLength);
  try {
    if (!cipher.open(bytes, offset, length, sealed, 0)) return "seal";
    if (plainLength > 0) {
      // The declared length bounds what is decoded. Memory that the frame does not fill is never touched.
      const decoded = codec.decompress(sealed, 0, opened, plain, 0, plainLength);
      if (decoded !== plainLength) return decoded < 0 ? "compression" : "length";
    }
    const content = plainLength > 0 ? plain : sealed;
    const digest = new Uint8Array(32);
    codec.sha256(content, 0, content.length, digest, 0);
    for (let i = 0; i < 32; i += 1) if (digest[i] !== ids[idOffset + i]) return "content";
    use(content);
    return undefined;
  } finally {
    sealed.buffer.transfer(0);
    plain.buffer.transfer(0);
  }
}
