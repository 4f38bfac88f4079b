/** Blobs made piece by piece: the same id and bytes as at once, and no memory twice. */
import { zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NativeCodec } from "../../platform/native/native-codec.ts";
import { PortableCodec } from "../../platform/node/portable-codec.ts";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { hashOf, hexOf } from "../../test/repository/crafted-packs.ts";
import { EncodedBytes } from "./encoded-bytes.ts";

const codecs = [new NativeCodec(), new PortableCodec()];

/** Bytes that do not compress. */
function noise(bytes: number): Uint8Array {
  const random = seededRandom(bytes);
  const words = Uint32Array.from({ length: Math.ceil(bytes / 4) }, () => random() * 4294967296);
  return new Uint8Array(words.buffer, 0, bytes);
}

function moved(blob: EncodedBytes): Uint8Array {
  const dst = new Uint8Array(blob.encodedLength + 20).fill(0xee);
  blob.moveTo(dst, 7);
  const around = [...dst.subarray(0, 7), ...dst.subarray(7 + blob.encodedLength)];
  expect(around.every((byte) => byte === 0xee)).toBe(true);
  return dst.slice(7, 7 + blob.encodedLength);
}

describe.each(codecs.map((codec) => [codec.name, codec] as const))(
  "a large blob, %s",
  (_, codec) => {
    it("has the id and the bytes of its pieces together", () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ maxLength: 400 })), (pieces) => {
          const blob = new EncodedBytes(codec, 1);
          for (const piece of pieces) {
            const placed = new Uint8Array([9, 9, ...piece, 9]);
            blob.add(placed, 2, piece.length);
            // The caller's memory is its own again.
            placed.fill(0);
          }
          blob.finish();
          const plain = Buffer.concat(pieces);
          expect(blob.plainLength).toBe(plain.length);
          expect(hexOf(blob.id)).toBe(hexOf(hashOf(plain)));
          expect(Buffer.compare(zstdDecompressSync(moved(blob)), plain)).toBe(0);
        }),
        { numRuns: 40 },
      );
    });

    it("keeps what it compresses to in blocks, whatever their number", () => {
      for (const bytes of [4_000_000, 13_000_000]) {
        const plain = noise(bytes);
        const blob = new EncodedBytes(codec, 1);
        for (let at = 0; at < bytes; at += 1_000_000) blob.add(plain, at, 1_000_000);
        blob.finish();
        expect(blob.encodedLength).toBeGreaterThan(bytes);
        expect(Buffer.compare(zstdDecompressSync(moved(blob)), plain)).toBe(0);
      }
    });
  },
);

describe("a large blob", () => {
  it("holds what it compresses to, once, and gives it away", () => {
    const mebibyte = 1024 * 1024;
    const plain = noise(mebibyte);
    const held = (): number => process.memoryUsage().arrayBuffers;
    const before = held();
    const blob = new EncodedBytes(codecs[0], 1);
    for (let i = 0; i < 200; i += 1) blob.add(plain.fill(i), 0, mebibyte);
    blob.finish();
    expect(held() - before).toBeLessThan(10 * mebibyte);
    const full = new EncodedBytes(codecs[0], 1);
    for (let i = 0; i < 64; i += 1) full.add(noise(mebibyte + i), 0, mebibyte);
    full.finish();
    const dst = new Uint8Array(full.encodedLength);
    const most = held();
    full.moveTo(dst, 0);
    expect(most - held()).toBeGreaterThan(60 * mebibyte);
  });
});
