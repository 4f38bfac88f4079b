/** Packs laid out byte by byte, independent of the assembler: right ones, and ones with any lie in them. */
import { createHash } from "node:crypto";
import type { MasterKey } from "../../agent/repository/crypto/master-key.ts";
import { Sealer } from "../../agent/repository/crypto/sealed-bytes.ts";
import type { Codec } from "../../platform/ports/codec.ts";

/** The key of the format's sealing vector: bytes 00 … 3f. */
export const craftedKey: MasterKey = {
  encrypt: Uint8Array.from({ length: 32 }, (_, i) => i),
  macK: Uint8Array.from({ length: 16 }, (_, i) => 0x20 + i),
  macR: Uint8Array.from({ length: 16 }, (_, i) => 0x30 + i),
};

export function craftedSealer(codec?: Codec): Sealer {
  return codec === undefined ? new Sealer(craftedKey) : new Sealer(craftedKey, codec);
}

/** A blob to lay out; what is not given is as it should be. */
export interface CraftedBlob {
  readonly plain: Uint8Array;
  readonly isTree?: boolean;
  /** zstd frame of `plain`, to be stored in its stead. */
  readonly frame?: Uint8Array;
  /** What the header says about the plain length of a compressed blob. */
  readonly claimedPlainLength?: number;
}

export interface CraftedPack {
  readonly bytes: Uint8Array;
  /** Hex SHA-256 of `bytes`. */
  readonly id: string;
  /** Plain header. */
  readonly header: Uint8Array;
}

export function hashOf(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** The pack of these blobs in this order. */
export function craftPack(sealer: Sealer, blobs: readonly CraftedBlob[]): CraftedPack {
  const sealed = blobs.map(({ plain, frame }) => sealer.seal(frame ?? plain));
  const entries = blobs.map((blob, i) => craftEntry(blob, sealed[i].length));
  return closePack(sealer, Buffer.concat(sealed), Buffer.concat(entries));
}

/** `body ‖ sealed header ‖ length`, whatever body and header say. */
export function closePack(sealer: Sealer, body: Uint8Array, header: Uint8Array): CraftedPack {
  const sealedHeader = sealer.seal(header);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(sealedHeader.length);
  const bytes = new Uint8Array(Buffer.concat([body, sealedHeader, length]));
  return { bytes, id: hexOf(hashOf(bytes)), header };
}

/** One header entry. */
export function craftEntry(blob: CraftedBlob, storedLength: number): Uint8Array {
  const { plain, isTree = false, frame } = blob;
  const type = (frame === undefined ? 0 : 2) + (isTree ? 1 : 0);
  const lengths = Buffer.alloc(frame === undefined ? 4 : 8);
  lengths.writeUInt32LE(storedLength);
  if (frame !== undefined) lengths.writeUInt32LE(blob.claimedPlainLength ?? plain.length, 4);
  return new Uint8Array(Buffer.concat([Buffer.of(type), lengths, hashOf(plain)]));
}
