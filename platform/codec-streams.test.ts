/** What both codecs do in pieces: frames made and read, messages opened. */
import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NativeCodec } from "./native/native-codec.ts";
import { PortableCodec } from "./node/portable-codec.ts";
import type { Codec, SealKey } from "./ports/codec.ts";

const codecs: readonly Codec[] = [new NativeCodec(), new PortableCodec()];
const mebibyte = 1024 * 1024;
const key: SealKey = {
  encrypt: new Uint8Array(32).fill(1),
  macK: new Uint8Array(16).fill(2),
  macR: new Uint8Array(16).fill(3),
};

/** Ranges of `bytes` between the cuts, which are parts of the whole. */
function* pieces(bytes: Uint8Array, cuts: readonly number[]): Generator<[number, number]> {
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length];
  let start = 0;
  for (const end of ends.toSorted((a, b) => a - b)) {
    yield [start, end - start];
    start = end;
  }
}

function compress(codec: Codec, plain: Uint8Array, cuts: readonly number[], level = 3): Buffer {
  const frame: Uint8Array[] = [];
  const running = codec.startCompress(level, (bytes, offset, length) => {
    frame.push(bytes.slice(offset, offset + length));
  });
  for (const [offset, length] of pieces(plain, cuts)) running.update(plain, offset, length);
  running.finish();
  return Buffer.concat(frame);
}

/** The plain bytes, or undefined; `got` counts those that were handed out in any case. */
function decompress(
  codec: Codec,
  frame: Uint8Array,
  cuts: readonly number[],
  plainBytesMax: number,
): { plain: Buffer | undefined; got: number } {
  const plain: Uint8Array[] = [];
  let got = 0;
  const running = codec.startDecompress(plainBytesMax, (bytes, offset, length) => {
    got += length;
    plain.push(bytes.slice(offset, offset + length));
  });
  let isGood = true;
  for (const [offset, length] of pieces(frame, cuts)) {
    const wasGood = isGood;
    isGood = running.update(frame, offset, length);
    expect(isGood && !wasGood, "a stream that was damaged stays so").toBe(false);
  }
  const isWhole = running.finish();
  expect(isWhole && !isGood).toBe(false);
  return { plain: isWhole ? Buffer.concat(plain) : undefined, got };
}

const cutsOf = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });
const someText = fc
  .tuple(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 900 }))
  .map(([bytes, times]) => new Uint8Array(Buffer.concat(Array(times).fill(bytes))));

/** Text that does not repeat within a short distance, about so many bytes. */
function longText(bytes: number): Uint8Array {
  const lines: string[] = [];
  for (let i = 0, length = 0; length < bytes; i += 1) {
    lines.push(`{"name":"file ${i}","inode":${(i * 2654435761) % 4294967296}},\n`);
    length += lines[i].length;
  }
  return new Uint8Array(Buffer.from(lines.join("")));
}

/** A frame of 500 zeros that asks for a window of 2^`log` bytes: header, and one block that repeats a byte. */
function windowed(log: number): Buffer {
  const header = [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3];
  const block = (500 << 3) | (1 << 1) | 1;
  return Buffer.from([...header, block & 0xff, block >> 8, 0, 0]);
}

describe.each(codecs.map((codec) => [codec.name, codec] as const))("the %s codec", (_, codec) => {
  it("makes frames in pieces that every codec and zlib read, in pieces and at once", () => {
    fc.assert(
      fc.property(
        someText,
        cutsOf,
        cutsOf,
        fc.integer({ min: -7, max: 12 }),
        (plain, a, b, level) => {
          const frame = compress(codec, plain, a, level);
          expect(Buffer.compare(zstdDecompressSync(frame), plain)).toBe(0);
          for (const reader of codecs) {
            const read = decompress(reader, frame, b, plain.length).plain;
            expect(read && Buffer.compare(read, plain), reader.name).toBe(0);
            const whole = new Uint8Array(plain.length);
            expect(
              reader.decompress(frame, 0, frame.length, whole, 0, whole.length),
              reader.name,
            ).toBe(plain.length);
            expect(Buffer.compare(whole, plain)).toBe(0);
          }
        },
      ),
    );
  });

  it("makes one frame without checksum and with a window of at most 8 MiB, also of long data and at the highest level", () => {
    const plain = longText(20 * mebibyte);
    for (const [level, bytes] of [
      [1, plain.length],
      [19, 600_000],
    ]) {
      const part = plain.subarray(0, bytes);
      const frame = compress(codec, part, [0.1, 0.5, 0.500001, 0.9], level);
      expect(frame.subarray(0, 4).toString("hex")).toBe("28b52ffd");
      expect(frame[4] & 0x04, "checksum").toBe(0);
      const isSegment = (frame[4] & 0x20) !== 0;
      const window = 2 ** (10 + (frame[5] >> 3)) * (1 + (frame[5] & 7) / 8);
      expect(isSegment ? part.length : window).toBeLessThanOrEqual(8 * mebibyte);
      for (const reader of codecs) {
        const { plain: read } = decompress(reader, frame, [0.3, 0.6], part.length);
        expect(read && Buffer.compare(read, part), reader.name).toBe(0);
      }
    }
  });

  it("keeps streams apart that run at the same time", () => {
    const frames: Buffer[][] = [[], []];
    const running = frames.map((frame) =>
      codec.startCompress(1, (bytes, offset, length) => {
        frame.push(Buffer.from(bytes.slice(offset, offset + length)));
      }),
    );
    for (const letter of ["abc", "xyz", "end"])
      for (const [i, stream] of running.entries())
        stream.update(new Uint8Array(Buffer.from(letter.repeat(i + 1))), 0, 3 * (i + 1));
    for (const stream of running) stream.finish();
    const texts = frames.map((frame) => zstdDecompressSync(Buffer.concat(frame)).toString());
    expect(texts).toEqual(["abcxyzend", "abcabcxyzxyzendend"]);
  });

  it("never hands out more than it may, however much a frame holds", () => {
    const bomb = zstdCompressSync(Buffer.alloc(200 * mebibyte));
    expect(bomb.length).toBeLessThan(32_000);
    for (const limit of [0, 1, 999, 300 * 1024]) {
      const { plain, got } = decompress(codec, bomb, [0.5], limit);
      expect(plain, `${limit}`).toBeUndefined();
      expect(got, `${limit}`).toBeLessThanOrEqual(limit);
    }
  });

  it("opens a message in pieces, to the same bytes as at once, and nothing of one that was changed", () => {
    const cipher = codec.openCipher(key);
    for (const length of [0, 1, 256 * 1024, 256 * 1024 + 1, 3 * mebibyte + 5]) {
      const plain = randomBytes(length);
      const sealed = new Uint8Array(7 + length + 32);
      cipher.seal(plain, 0, length, new Uint8Array(16).fill(length), 0, sealed, 7);
      const opened: Uint8Array[] = [];
      const take = (bytes: Uint8Array, offset: number, count: number): void => {
        opened.push(bytes.slice(offset, offset + count));
      };
      expect(cipher.openInPieces(sealed, 7, length + 32, take)).toBe(true);
      expect(Buffer.compare(Buffer.concat(opened), plain)).toBe(0);
      opened.length = 0;
      for (const at of [7, 7 + 16 + (length >> 1), sealed.length - 1]) {
        sealed[at] ^= 4;
        expect(cipher.openInPieces(sealed, 7, length + 32, take), `${length} ${at}`).toBe(false);
        sealed[at] ^= 4;
      }
      expect(cipher.openInPieces(sealed, 7, 31, take)).toBe(false);
      expect(opened).toEqual([]);
      expect(() => cipher.openInPieces(sealed, 8, length + 32, take)).toThrow(
        expect.objectContaining({ code: "INTERNAL" }),
      );
    }
  });

  it("refuses ranges that leave their array", () => {
    const bytes = new Uint8Array(64);
    for (const [offset, length] of [
      [0, 65],
      [64, 1],
      [-1, 3],
      [Number.NaN, 1],
    ]) {
      for (const running of [
        codec.startCompress(1, () => undefined),
        codec.startDecompress(100, () => undefined),
      ])
        expect(() => running.update(bytes, offset, length), `${offset} ${length}`).toThrow(
          expect.objectContaining({ code: "INTERNAL" }),
        );
    }
  });
});

describe("both codecs in pieces", () => {
  it("agree on which bytes are frames, wherever these are cut", () => {
    const zeros = zstdCompressSync(Buffer.alloc(500_000));
    const letters = zstdCompressSync(Buffer.from("letters"));
    const skippable = Buffer.from("502a4d180400000001020304", "hex");
    const framesOf = (params: Record<number, number>): Buffer =>
      zstdCompressSync(Buffer.alloc(500), { params });
    const wrongSum = framesOf({ [constants.ZSTD_c_checksumFlag]: 1 });
    wrongSum[wrongSum.length - 1] ^= 1;
    const cases: [string, Uint8Array, number][] = [
      ["nothing", new Uint8Array(0), 0],
      ["a frame of nothing", zstdCompressSync(new Uint8Array(0)), 0],
      ["two frames", Buffer.concat([zeros, letters]), 500_007],
      ["a frame of exactly one piece", zstdCompressSync(Buffer.alloc(256 * 1024)), 256 * 1024],
      ["a skippable frame first", Buffer.concat([skippable, zeros]), 500_000],
      ["with checksum", framesOf({ [constants.ZSTD_c_checksumFlag]: 1 }), 500],
      ["with a wrong checksum", wrongSum, -1],
      ["without content size", framesOf({ [constants.ZSTD_c_contentSizeFlag]: 0 }), 500],
      ["followed by a zero", Buffer.concat([zeros, Buffer.alloc(1)]), -1],
      ["followed by text", Buffer.concat([zeros, Buffer.from("some text")]), -1],
      ["cut by one byte", zeros.subarray(0, -1), -1],
      ["cut in the header", zeros.subarray(0, 5), -1],
      ["text", Buffer.from("no frame at all"), -1],
      ["a window of 8 MiB", windowed(23), 500],
      ["a window of 16 MiB", windowed(24), -1],
    ];
    for (const [name, bytes, expected] of cases)
      for (const codec of codecs)
        for (const cuts of [[], [0.5], [0.01, 0.02, 0.99]]) {
          const { plain } = decompress(codec, bytes, cuts, 500_007);
          expect(plain?.length ?? -1, `${name}, ${codec.name}, ${cuts.join(" ")}`).toBe(expected);
        }
  });

  it("decode damaged frames to the same bytes or to none", () => {
    const frame = zstdCompressSync(longText(3000).subarray(0, 3000));
    fc.assert(
      fc.property(
        fc.nat({ max: frame.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        cutsOf,
        (at, flip, cuts) => {
          const damaged = Uint8Array.from(frame);
          damaged[at] ^= flip;
          const [a, b] = codecs.map((codec) => decompress(codec, damaged, cuts, 100_000).plain);
          expect(a?.toString("hex")).toBe(b?.toString("hex"));
        },
      ),
      { numRuns: 300 },
    );
  });
});
