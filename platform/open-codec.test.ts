/** Both codecs against the format's vectors, node:crypto and each other, and the choice between them. */
import { createHash } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NativeCodec } from "./native/native-codec.ts";
import { PortableCodec } from "./node/portable-codec.ts";
import { codecsAgree, openCodec } from "./open-codec.ts";
import type { Codec, SealKey } from "./ports/codec.ts";

const native = new NativeCodec();
const portable = new PortableCodec();
const codecs: readonly Codec[] = [native, portable];

const bytesFrom = (first: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => first + i);
const vectorKey: SealKey = {
  encrypt: bytesFrom(0, 32),
  macK: bytesFrom(0x20, 16),
  macR: bytesFrom(0x30, 16),
};
const vectorIv = bytesFrom(0x40, 16);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function seal(codec: Codec, plain: Uint8Array, iv = vectorIv, key = vectorKey): Uint8Array {
  const sealed = new Uint8Array(plain.length + 32);
  codec.openCipher(key).seal(plain, 0, plain.length, iv, 0, sealed, 0);
  return sealed;
}

function detached(length: number): Uint8Array {
  const bytes = new Uint8Array(length).fill(7);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  return bytes;
}

/** Bytes that compress somewhat, at an offset in a larger array. */
const placed = fc
  .tuple(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 40 }), fc.nat({ max: 40 }))
  .map(([pattern, before, after]) => {
    const plain = Buffer.concat([pattern, pattern, pattern]);
    const array = new Uint8Array(before + plain.length + after).fill(0xee);
    array.set(plain, before);
    return { array, offset: before, length: plain.length, plain: new Uint8Array(plain) };
  });

describe.each(codecs.map((codec) => [codec.name, codec] as const))("the %s codec", (_, codec) => {
  it("seals the format's vectors byte for byte, and opens them", () => {
    const vectors = [
      ["", "404142434445464748494a4b4c4d4e4f859469c07743c7e45b318d151d3d87e9"],
      ["hello\n", "404142434445464748494a4b4c4d4e4fcb1bb353f850bc1c0621ac31f65d48e69c6fead27724"],
    ] as const;
    for (const [plain, sealed] of vectors) {
      expect(hex(seal(codec, text(plain)))).toBe(sealed);
      const opened = new Uint8Array(plain.length);
      const source = new Uint8Array(Buffer.from(sealed, "hex"));
      expect(codec.openCipher(vectorKey).open(source, 0, source.length, opened, 0)).toBe(true);
      expect(hex(opened)).toBe(hex(text(plain)));
    }
  });

  it("hashes any range as SHA-256, at once and in pieces", () => {
    fc.assert(
      fc.property(placed, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), (at, cuts) => {
        const out = new Uint8Array(40);
        codec.sha256(at.array, at.offset, at.length, out, 5);
        expect(hex(out.subarray(5, 37))).toBe(sha256(at.plain));
        const running = codec.startSha256();
        const other = codec.startSha256();
        let from = 0;
        for (const cut of [...cuts.map((part) => Math.floor(part * at.length)), at.length].toSorted(
          (a, b) => a - b,
        )) {
          running.update(at.array, at.offset + from, cut - from);
          other.update(text("x"), 0, 1);
          from = cut;
        }
        running.finish(out, 8);
        expect(hex(out.subarray(8, 40))).toBe(sha256(at.plain));
      }),
    );
  });

  it("refuses a sealed message with any bit changed, and leaves the destination alone", () => {
    const sealed = seal(codec, text("twenty bytes of text"));
    const cipher = codec.openCipher(vectorKey);
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = Uint8Array.from(sealed);
      changed[bit >> 3] ^= 1 << (bit & 7);
      const opened = new Uint8Array(20).fill(0xee);
      expect(cipher.open(changed, 0, changed.length, opened, 0), `bit ${bit}`).toBe(false);
      expect(opened.every((byte) => byte === 0xee)).toBe(true);
    }
    for (let length = 0; length < sealed.length; length += 1)
      expect(cipher.open(sealed, 0, length, new Uint8Array(20), 0), `cut to ${length}`).toBe(false);
    const other = codec.openCipher({ ...vectorKey, macR: bytesFrom(0x31, 16) });
    expect(other.open(sealed, 0, sealed.length, new Uint8Array(20), 0)).toBe(false);
  });

  it("seals in place, as packs are filled", () => {
    const plain = text("compressed straight into its place in the pack");
    const pack = new Uint8Array(200).fill(0xee);
    pack.set(plain, 50 + 16);
    const cipher = codec.openCipher(vectorKey);
    cipher.seal(pack, 50 + 16, plain.length, vectorIv, 0, pack, 50);
    expect(hex(pack.subarray(50, 50 + plain.length + 32))).toBe(hex(seal(portable, plain)));
    expect(hex(pack.subarray(0, 50)) + hex(pack.subarray(50 + plain.length + 32))).toMatch(
      /^(ee)+$/,
    );
  });

  it("does not mix up ciphers of different keys", () => {
    const keys = [0, 1, 2].map((i) => ({ ...vectorKey, encrypt: bytesFrom(i, 32) }));
    const ciphers = keys.map((key) => codec.openCipher(key));
    for (const i of [0, 1, 2, 1, 0]) {
      const sealed = new Uint8Array(5 + 32);
      ciphers[i].seal(text("hello"), 0, 5, vectorIv, 0, sealed, 0);
      expect(hex(sealed)).toBe(hex(seal(portable, text("hello"), vectorIv, keys[i])));
    }
  });

  it("compresses to frames that tell their content size and carry no checksum", () => {
    for (const length of [0, 1, 255, 256, 70_000, 300_000]) {
      const frame = new Uint8Array(length + 1000);
      const written = codec.compress(new Uint8Array(length), 0, length, frame, 0, frame.length, 3);
      expect(written).toBeGreaterThan(4);
      expect(hex(frame.subarray(0, 4))).toBe("28b52ffd");
      const descriptor = frame[4];
      expect(descriptor & 0x04, "checksum flag").toBe(0);
      expect(descriptor & 0xe0, "content size or single segment").not.toBe(0);
    }
  });

  it("never writes beyond the capacity, and says -1 if it does not suffice", () => {
    const plain = bytesFrom(0, 3000).map((byte) => (byte * byte) >> 5);
    for (const level of [-7, -1, 1, 3, 19]) {
      const dst = new Uint8Array(4000).fill(0xee);
      const full = codec.compress(plain, 0, 3000, dst, 10, 3900, level);
      expect(full).toBeGreaterThan(0);
      for (const capacity of [full - 1, full >> 1, 1, 0]) {
        dst.fill(0xee);
        expect(codec.compress(plain, 0, 3000, dst, 10, capacity, level)).toBe(-1);
        expect(dst.subarray(10 + capacity).every((byte) => byte === 0xee)).toBe(true);
        expect(dst.subarray(0, 10).every((byte) => byte === 0xee)).toBe(true);
      }
    }
    const frame = zstdCompressSync(plain);
    for (const capacity of [2999, 1500, 1, 0]) {
      const dst = new Uint8Array(4000).fill(0xee);
      expect(codec.decompress(frame, 0, frame.length, dst, 10, capacity)).toBe(-1);
      expect(dst.subarray(10 + capacity).every((byte) => byte === 0xee)).toBe(true);
    }
    expect(codec.decompress(frame, 0, frame.length, new Uint8Array(3000), 0, 3000)).toBe(3000);
  });

  it("stops a decompression bomb at the capacity, whether its size is told or not", () => {
    const zeros = Buffer.alloc(256 * 1024 * 1024);
    for (const contentSize of [1, 0]) {
      const bomb = zstdCompressSync(zeros, {
        params: { [constants.ZSTD_c_contentSizeFlag]: contentSize },
      });
      expect(bomb.length).toBeLessThan(32_000);
      const dst = new Uint8Array(64 * 1024);
      const before = process.memoryUsage().rss;
      expect(codec.decompress(bomb, 0, bomb.length, dst, 0, dst.length)).toBe(-1);
      expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
    }
  });

  it("refuses ranges that leave their array, also because it was transferred away", () => {
    const cipher = codec.openCipher(vectorKey);
    const ok = new Uint8Array(100);
    const running = codec.startSha256();
    const calls: ((bytes: Uint8Array, offset: number, length: number) => void)[] = [
      (bytes, offset, length) => codec.sha256(bytes, offset, length, ok, 0),
      (bytes, offset, length) => codec.sha256(ok, 0, 1, bytes, offset + length - 32),
      (bytes, offset, length) => running.update(bytes, offset, length),
      (bytes, offset, length) => codec.startSha256().finish(bytes, offset + length - 32),
      (bytes, offset, length) => codec.compress(bytes, offset, length, ok, 0, 100, 1),
      (bytes, offset, length) => codec.compress(ok, 0, 100, bytes, offset, length, 1),
      (bytes, offset, length) => codec.decompress(bytes, offset, length, ok, 0, 100),
      (bytes, offset, length) => codec.decompress(ok, 0, 100, bytes, offset, length),
      (bytes, offset, length) => cipher.seal(bytes, offset, length, ok, 0, ok, 0),
      (bytes, offset, length) => cipher.seal(ok, 0, 1, bytes, offset + length - 16, ok, 0),
      (bytes, offset, length) => cipher.seal(ok, 0, length - 32, ok, 0, bytes, offset),
      (bytes, offset, length) => cipher.open(bytes, offset, length, ok, 0),
      (bytes, offset, length) => cipher.open(ok, 0, length + 32, bytes, offset),
    ];
    const gone = detached(64);
    for (const [i, call] of calls.entries()) {
      for (const [offset, length] of [
        [0, 65],
        [1, 64],
        [60, 40],
        [-64, 63],
        [Number.NaN, 64],
        [0, Number.NaN],
        [2 ** 40, 64],
      ])
        expect(() => call(new Uint8Array(64), offset, length), `${i}: ${offset} ${length}`).toThrow(
          expect.objectContaining({ code: "INTERNAL" }),
        );
      expect(() => call(gone, 0, 64), `${i}: detached`).toThrow(
        expect.objectContaining({ code: "INTERNAL" }),
      );
    }
  });
});

describe("both codecs", () => {
  it("seal to the same bytes, and each opens what the other sealed", () => {
    fc.assert(
      fc.property(placed, fc.uint8Array({ minLength: 16, maxLength: 16 }), (at, iv) => {
        const sealed = codecs.map((codec) => {
          const dst = new Uint8Array(at.length + 40).fill(0xee);
          const cipher = codec.openCipher(vectorKey);
          cipher.seal(at.array, at.offset, at.length, iv, 0, dst, 3);
          return dst;
        });
        expect(hex(sealed[0])).toBe(hex(sealed[1]));
        for (const codec of codecs) {
          const dst = new Uint8Array(at.length + 8).fill(0xee);
          const cipher = codec.openCipher(vectorKey);
          expect(cipher.open(sealed[0], 3, at.length + 32, dst, 5)).toBe(true);
          expect(hex(dst.subarray(5, 5 + at.length))).toBe(hex(at.plain));
          expect(hex(dst.subarray(0, 5)) + hex(dst.subarray(5 + at.length))).toMatch(/^(ee)*$/);
        }
      }),
    );
  });

  it("decompress what the other compressed, at every level", () => {
    fc.assert(
      fc.property(placed, fc.integer({ min: -7, max: 19 }), (at, level) => {
        for (const [from, to] of [
          [native, portable],
          [portable, native],
        ]) {
          const frame = new Uint8Array(at.length + 600);
          const written = from.compress(
            at.array,
            at.offset,
            at.length,
            frame,
            7,
            at.length + 500,
            level,
          );
          expect(written).toBeGreaterThan(0);
          const dst = new Uint8Array(at.length + 9);
          expect(to.decompress(frame, 7, written, dst, 9, at.length)).toBe(at.length);
          expect(hex(dst.subarray(9))).toBe(hex(at.plain));
        }
      }),
    );
  });

  it("agree on which bytes are frames", () => {
    const zeros = zstdCompressSync(Buffer.alloc(500));
    const letters = zstdCompressSync(Buffer.from("letters"));
    const skippable = Buffer.from("502a4d180400000001020304", "hex");
    const framesOf = (params: Record<number, number>): Buffer =>
      zstdCompressSync(Buffer.alloc(500), { params });
    const wrongSum = framesOf({ [constants.ZSTD_c_checksumFlag]: 1 });
    wrongSum[wrongSum.length - 1] ^= 1;
    const cases: [string, Uint8Array, number][] = [
      ["nothing", new Uint8Array(0), 0],
      ["a frame of nothing", zstdCompressSync(new Uint8Array(0)), 0],
      ["two frames", Buffer.concat([zeros, letters]), 507],
      ["a skippable frame first", Buffer.concat([skippable, zeros]), 500],
      ["with checksum", framesOf({ [constants.ZSTD_c_checksumFlag]: 1 }), 500],
      ["with a wrong checksum", wrongSum, -1],
      ["without content size", framesOf({ [constants.ZSTD_c_contentSizeFlag]: 0 }), 500],
      ["followed by a zero", Buffer.concat([zeros, Buffer.alloc(1)]), -1],
      ["followed by text", Buffer.concat([zeros, Buffer.from("some text")]), -1],
      ["cut by one byte", zeros.subarray(0, -1), -1],
      ["cut in the header", zeros.subarray(0, 5), -1],
      ["text", Buffer.from("no frame at all"), -1],
      [
        "a window of 128 MiB",
        zstdCompressSync(Buffer.alloc(500), {
          params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
        }),
        500,
      ],
    ];
    for (const [name, bytes, expected] of cases)
      for (const codec of codecs) {
        const dst = new Uint8Array(1000);
        const length = codec.decompress(bytes, 0, bytes.length, dst, 0, 1000);
        expect(length, `${name}, ${codec.name}`).toBe(expected);
      }
  });

  it("decompress damaged frames to the same bytes or to none", () => {
    const frame = zstdCompressSync(
      Buffer.from("some text that repeats, repeats, repeats ".repeat(9)),
    );
    fc.assert(
      fc.property(
        fc.nat({ max: frame.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, flip) => {
          const damaged = Uint8Array.from(frame);
          damaged[at] ^= flip;
          const results = codecs.map((codec) => {
            const dst = new Uint8Array(100_000);
            const length = codec.decompress(damaged, 0, damaged.length, dst, 0, dst.length);
            return length < 0 ? "none" : hex(dst.subarray(0, length));
          });
          expect(results[0]).toBe(results[1]);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("go on giving right bytes while their arrays are transferred away and their memory comes back", () => {
    const cipher = native.openCipher(vectorKey);
    const reference = portable.openCipher(vectorKey);
    const held: Uint8Array[] = [];
    for (let round = 0; round < 300; round += 1) {
      const length = 100 + ((round * 7919) % 5000);
      const plain = new Uint8Array(length).fill(round);
      const sealed = new Uint8Array(length + 32);
      const expected = new Uint8Array(length + 32);
      cipher.seal(plain, 0, length, vectorIv, 0, sealed, 0);
      reference.seal(plain, 0, length, vectorIv, 0, expected, 0);
      const moved = structuredClone(sealed, { transfer: [sealed.buffer] });
      held.push(moved);
      if (held.length > 5) held.shift();
      const opened = new Uint8Array(length);
      expect(cipher.open(moved, 0, moved.length, opened, 0)).toBe(true);
      expect(() => cipher.open(sealed, 0, length + 32, opened, 0)).toThrow();
      expect(Buffer.compare(opened, plain) + Buffer.compare(moved, expected)).toBe(0);
    }
  });

  it("let go of large arrays", async () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    const cipher = native.openCipher(vectorKey);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    const opened = new Uint8Array(16);
    for (let round = 0; round < 12; round += 1) {
      const pack = new Uint8Array(16 * 1024 * 1024);
      cipher.open(pack, 0, 48, opened, 0);
    }
    const kept = (): number => {
      collect();
      return process.memoryUsage().arrayBuffers - before;
    };
    // Their memory is given back by a thread of its own.
    await expect.poll(kept, { timeout: 5000 }).toBeLessThan(3 * 16 * 1024 * 1024);
  });
});

describe("the codec of a thread", () => {
  it("is the native one here, and always the same", () => {
    expect(openCodec().name).toBe("native");
    expect(openCodec()).toBe(openCodec());
  });

  it("is not taken if any of its functions is wrong", () => {
    expect(codecsAgree(new NativeCodec(), portable)).toBe(true);
    class WrongDigest extends PortableCodec {
      override sha256(...args: Parameters<Codec["sha256"]>): void {
        super.sha256(...args);
        args[3][args[4]] ^= 1;
      }
    }
    class WrongPieces extends PortableCodec {
      override startSha256(): ReturnType<Codec["startSha256"]> {
        const running = super.startSha256();
        return { ...running, update: (src, offset) => running.update(src, offset, 1) };
      }
    }
    class TrustingCipher extends PortableCodec {
      override openCipher(key: SealKey): ReturnType<Codec["openCipher"]> {
        const cipher = super.openCipher(key);
        return {
          seal: (...args) => cipher.seal(...args),
          open: (...args) => cipher.open(...args) || args[0][500] !== 0,
          openInPieces: (...args) => cipher.openInPieces(...args),
        };
      }
    }
    class WrongKey extends PortableCodec {
      override openCipher(key: SealKey): ReturnType<Codec["openCipher"]> {
        return super.openCipher({ ...key, macK: key.macR });
      }
    }
    class BoundlessFrames extends PortableCodec {
      override decompress(...args: Parameters<Codec["decompress"]>): number {
        return Math.abs(super.decompress(...args));
      }
    }
    class NoFrames extends PortableCodec {
      override compress(): number {
        return -1;
      }
    }
    class TrustingPieces extends PortableCodec {
      override openCipher(key: SealKey): ReturnType<Codec["openCipher"]> {
        const cipher = super.openCipher(key);
        return {
          seal: (...args) => cipher.seal(...args),
          open: (...args) => cipher.open(...args),
          openInPieces: (...args) => cipher.openInPieces(...args) || args[0][500] !== 0,
        };
      }
    }
    class CutStreams extends PortableCodec {
      override startCompress(
        ...args: Parameters<Codec["startCompress"]>
      ): ReturnType<Codec["startCompress"]> {
        const running = super.startCompress(...args);
        return { ...running, update: (src, offset) => running.update(src, offset, 1) };
      }
    }
    class BoundlessStreams extends PortableCodec {
      override startDecompress(
        ...[limit, onPlain]: Parameters<Codec["startDecompress"]>
      ): ReturnType<Codec["startDecompress"]> {
        return super.startDecompress(limit + 1, onPlain);
      }
    }
    for (const Wrong of [
      TrustingPieces,
      CutStreams,
      BoundlessStreams,
      WrongDigest,
      WrongPieces,
      TrustingCipher,
      WrongKey,
      BoundlessFrames,
      NoFrames,
    ])
      expect(codecsAgree(new Wrong(), portable), Wrong.name).toBe(false);
  });
});
