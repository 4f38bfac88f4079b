import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../storage/fault/seeded-random.ts";
import { chunkBytesMax, chunkBytesMin, GearChunker, gearSecretBytes } from "./gear-chunker.ts";

const mebibyte = 1024 * 1024;

function randomBytes(seed: number, length: number): Uint8Array {
  const random = seededRandom(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i += 1) bytes[i] = random() * 256;
  return bytes;
}

const room = 41 * mebibyte;
const chunker = new GearChunker(randomBytes(1, gearSecretBytes), room);
const data = randomBytes(2, 40 * mebibyte);

/** Ends of all chunks of `bytes[start, end)`. */
function cutsOf(bytes: Uint8Array, start = 0, end = bytes.length, by = chunker): number[] {
  const cuts: number[] = [];
  by.bytes.set(bytes);
  for (let at = start; at < end; at = cuts[cuts.length - 1]) cuts.push(by.cut(at, end));
  return cuts;
}

/** The same found the slow way, from the rules alone. */
function slowCut(secret: Uint8Array, bytes: Uint8Array, start: number, end: number): number {
  const view = new DataView(secret.buffer);
  const limit = Math.min(end, start + chunkBytesMax);
  for (let at = start + chunkBytesMin; at < limit; at += 1) {
    let hash = 0;
    for (let i = at - 31; i <= at; i += 1)
      hash = ((hash << 1) + view.getInt32(bytes[i] * 4, true)) | 0;
    const bits = at < start + mebibyte ? 21 : 19;
    if (hash >>> (32 - bits) === 0) return at + 1;
  }
  return limit;
}

function lengthsOf(cuts: readonly number[]): number[] {
  return cuts.map((cut, i) => cut - (cuts[i - 1] ?? 0));
}

describe("GearChunker", () => {
  it("keeps chunks within their bounds, around the normal length", () => {
    const lengths = lengthsOf(cutsOf(data));
    const last = lengths.pop() ?? 0;
    expect(last).toBeLessThanOrEqual(chunkBytesMax);
    for (const length of lengths) {
      expect(length).toBeGreaterThan(chunkBytesMin);
      expect(length).toBeLessThanOrEqual(chunkBytesMax);
    }
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
    expect(mean).toBeGreaterThan(0.8 * mebibyte);
    expect(mean).toBeLessThan(1.7 * mebibyte);
  });

  it("cuts where the rules say, and always there", () => {
    const secret = randomBytes(3, gearSecretBytes);
    const own = new GearChunker(secret, room);
    const bytes = data.slice(0, 6 * mebibyte);
    const slow: number[] = [];
    for (let at = 0; at < bytes.length; at = slow[slow.length - 1])
      slow.push(slowCut(secret, bytes, at, bytes.length));
    expect(cutsOf(bytes, 0, bytes.length, own)).toEqual(slow);
  });

  it("has cut at these places ever since", () => {
    const cuts = cutsOf(data, 0, 8 * mebibyte);
    expect(createHash("sha256").update(data).digest("hex").slice(0, 16)).toBe("68728ae30c9bd117");
    expect(cuts).toEqual([750750, 1426218, 1977411, 2556439, 4618623, 5540113, 6891389, 8388608]);
  });

  it("gives another secret other cuts", () => {
    const other = new GearChunker(randomBytes(4, gearSecretBytes), room);
    const [one, two] = [cutsOf(data), cutsOf(data, 0, data.length, other)];
    expect(one.filter((cut) => two.includes(cut))).toEqual([data.length]);
  });

  it("never cuts before the minimum, and at the maximum where nothing tells where to", () => {
    const zeros = new Uint8Array(20 * mebibyte);
    expect(lengthsOf(cutsOf(zeros))).toEqual([8, 8, 4].map((length) => length * mebibyte));
    chunker.bytes.set(data);
    for (const length of [1, 1000, chunkBytesMin - 1, chunkBytesMin])
      expect(chunker.cut(0, length)).toBe(length);
  });

  it("depends on the chunk's bytes alone, wherever they lie in a buffer", () => {
    const cuts = cutsOf(data);
    fc.assert(
      fc.property(fc.nat(cuts.length - 1), fc.nat(100), fc.nat(7), (number, before, after) => {
        const start = cuts[number - 1] ?? 0;
        const seen = Math.min(data.length, start + chunkBytesMax + after);
        chunker.bytes.set(data.subarray(start, seen), before);
        expect(chunker.cut(before, before + seen - start) - before).toBe(cuts[number] - start);
      }),
      { numRuns: 30 },
    );
  });

  it("finds its old cuts again soon after bytes were put in, taken out or changed", () => {
    const cuts = cutsOf(data);
    const at = 5 * mebibyte + 123;
    const inserted = new Uint8Array(data.length + 7);
    inserted.set(data.subarray(0, at));
    inserted.set(data.subarray(at), at + 7);
    const removed = new Uint8Array(data.length - 9);
    removed.set(data.subarray(0, at));
    removed.set(data.subarray(at + 9), at);
    const changed = data.slice();
    changed[at] ^= 1;
    for (const [bytes, shift] of [
      [inserted, 7],
      [removed, -9],
      [changed, 0],
    ] as const) {
      const found = new Set(cutsOf(bytes).map((cut) => (cut > at ? cut - shift : cut)));
      const lost = cuts.filter((cut) => !found.has(cut));
      expect(lost.length).toBeLessThanOrEqual(6);
      expect(cuts.filter((cut) => cut > at + 12 * mebibyte).every((cut) => found.has(cut))).toBe(
        true,
      );
    }
  });
});
