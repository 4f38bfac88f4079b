/** Index, snapshot and lock files: both encodings, limits, and what is caught before it is stored. */
import { constants, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { PortableCodec } from "../../platform/node/portable-codec.ts";
import type { Codec } from "../../platform/ports/codec.ts";
import { craftedSealer } from "../../test/repository/crafted-packs.ts";
import { decodeUnpacked, encodeUnpacked, unpackedLimits } from "./unpacked-file.ts";

const sealer = craftedSealer();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const json = text(JSON.stringify({ list: Array.from({ length: 2000 }, (_, i) => i) }));
const damaged = expect.objectContaining({ code: "REPOSITORY_DAMAGED", context: expect.anything() });
const compressed = (frame: Uint8Array): Uint8Array => Buffer.concat([Buffer.of(2), frame]);

describe("an unpacked file", () => {
  it("is compressed behind a version byte in format 2, and plain in format 1", () => {
    const second = sealer.open(encodeUnpacked(sealer, json, 2));
    expect(second?.[0]).toBe(2);
    expect(second?.length).toBeLessThan(json.length);
    expect(sealer.open(encodeUnpacked(sealer, json, 1))).toEqual(json);
    for (const version of [1, 2] as const)
      for (const content of [json, text("{}"), text("[]"), new Uint8Array(3_000_000).fill(0x5b)]) {
        const stored = encodeUnpacked(sealer, content, version);
        expect(Buffer.compare(decodeUnpacked(sealer, stored, "f"), content)).toBe(0);
      }
  });

  it("is read whether or not the frame tells its size, and however well it compressed", () => {
    const zeros = Buffer.concat([text('{"x":"'), Buffer.alloc(20_000_000, 0x20), text('"}')]);
    for (const contentSize of [0, 1]) {
      const frame = zstdCompressSync(zeros, {
        params: { [constants.ZSTD_c_contentSizeFlag]: contentSize },
      });
      const stored = sealer.seal(compressed(frame));
      expect(Buffer.compare(decodeUnpacked(sealer, stored, "f"), zeros)).toBe(0);
    }
  });

  it("is refused, naming it, if it is cut, flipped or of unknown encoding", () => {
    const stored = encodeUnpacked(sealer, json, 2);
    const fail = (bytes: Uint8Array): void =>
      expect(() => decodeUnpacked(sealer, bytes, "index/ab")).toThrow(
        expect.objectContaining({
          code: "REPOSITORY_DAMAGED",
          context: expect.objectContaining({ file: "index/ab" }),
        }),
      );
    for (const length of [0, 1, 31, 32, 33, stored.length - 1]) fail(stored.subarray(0, length));
    for (let at = 0; at < stored.length; at += 5) {
      const flipped = Uint8Array.from(stored);
      flipped[at] ^= 1;
      fail(flipped);
    }
    for (const plain of ["\u0001{}", "\u0003{}", " {}", "null", "\u0002{}"])
      fail(sealer.seal(text(plain)));
    fail(sealer.seal(compressed(zstdCompressSync(json).subarray(0, -1))));
    fail(sealer.seal(compressed(Buffer.concat([zstdCompressSync(json), text("x")]))));
  });

  it("is refused if it is stored or would become larger than its kind may be", () => {
    const { storedBytesMax, plainBytesMax } = unpackedLimits.locks;
    const decodeLock = (stored: Uint8Array) =>
      decodeUnpacked(sealer, stored, "locks/ab", unpackedLimits.locks);
    expect(() => decodeLock(new Uint8Array(storedBytesMax + 1))).toThrow(damaged);
    const fits = sealer.seal(compressed(zstdCompressSync(Buffer.alloc(plainBytesMax))));
    expect(decodeLock(fits)).toHaveLength(plainBytesMax);
    const bomb = sealer.seal(compressed(zstdCompressSync(Buffer.alloc(plainBytesMax + 1))));
    expect(() => decodeLock(bomb)).toThrow(damaged);
  });

  it("does not let a bomb take more memory than its kind may have", () => {
    const bomb = sealer.seal(compressed(zstdCompressSync(Buffer.alloc(300 * 1024 * 1024))));
    const before = process.memoryUsage().rss;
    expect(() => decodeUnpacked(sealer, bomb, "snapshots/ab", unpackedLimits.snapshots)).toThrow(
      damaged,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });

  it("is not stored if the compressor or the cipher was wrong", () => {
    class Flipping extends PortableCodec {
      override startCompress(
        ...[level, onFrame]: Parameters<Codec["startCompress"]>
      ): ReturnType<Codec["startCompress"]> {
        return super.startCompress(level, (bytes, offset, length) => {
          const frame = bytes.slice(offset, offset + length);
          frame[length >> 1] ^= 1;
          onFrame(frame, 0, length);
        });
      }
    }
    expect(() => encodeUnpacked(craftedSealer(new Flipping()), json, 2)).toThrow(
      expect.objectContaining({ code: "VERIFY_FAILED" }),
    );
    class Forgetful extends PortableCodec {
      override openCipher(
        ...args: Parameters<Codec["openCipher"]>
      ): ReturnType<Codec["openCipher"]> {
        const cipher = super.openCipher(...args);
        return {
          open: (...what) => cipher.open(...what),
          openInPieces: (...what) => cipher.openInPieces(...what),
          seal: (src, offset, length, ...rest) => {
            const other = Uint8Array.from(src);
            other[offset] ^= 0x20;
            cipher.seal(other, offset, length, ...rest);
          },
        };
      }
    }
    for (const version of [1, 2] as const)
      expect(() => encodeUnpacked(craftedSealer(new Forgetful()), json, version)).toThrow(
        expect.objectContaining({ code: "VERIFY_FAILED" }),
      );
  });
});
