import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BlobPlace, planWindows } from "./read-windows.ts";

/** Blobs anywhere in a pack, with gaps and overlaps, ascending by offset; and the size of the pack. */
const pack = fc
  .record({
    blobs: fc.array(fc.record({ offset: fc.nat(3000), length: fc.integer({ min: 1, max: 900 }) }), {
      maxLength: 20,
    }),
    rest: fc.nat(500),
  })
  .map(({ blobs, rest }) => {
    const sorted = blobs.toSorted((a, b) => a.offset - b.offset);
    const end = Math.max(0, ...sorted.map(({ offset, length }) => offset + length));
    return { blobs: sorted, sizeBytes: end + rest };
  });

/** Blobs that follow each other without a gap. */
const tidyPack = fc.array(fc.integer({ min: 1, max: 900 }), { maxLength: 30 }).map((lengths) => {
  let at = 0;
  const blobs = lengths.map((length): BlobPlace => {
    at += length;
    return { offset: at - length, length };
  });
  return { blobs, sizeBytes: at + 40 };
});

describe("windows over a pack", () => {
  it("hold every blob whole, each once, in order", () => {
    fc.assert(
      fc.property(fc.oneof(pack, tidyPack), fc.boolean(), ({ blobs, sizeBytes }, isComplete) => {
        let next = 0;
        for (const { from, to, first, count } of planWindows(blobs, sizeBytes, isComplete, 400)) {
          expect(first).toBe(count === 0 ? first : next);
          for (const { offset, length } of blobs.slice(first, first + count)) {
            expect(offset).toBeGreaterThanOrEqual(from);
            expect(offset + length).toBeLessThanOrEqual(to);
          }
          expect(to).toBeLessThanOrEqual(sizeBytes);
          next += count;
        }
        expect(next).toBe(blobs.length);
      }),
    );
  });

  it("have each byte of the pack new exactly once, in order, when all is to be read", () => {
    fc.assert(
      fc.property(fc.oneof(pack, tidyPack), ({ blobs, sizeBytes }) => {
        let at = 0;
        for (const { from, to, newFrom } of planWindows(blobs, sizeBytes, true, 400)) {
          expect(newFrom).toBeGreaterThanOrEqual(from);
          expect(newFrom).toBe(to <= at ? newFrom : at);
          at = Math.max(at, to);
        }
        expect(at).toBe(sizeBytes);
      }),
    );
  });

  it("are as small as they may be but where one blob is larger", () => {
    fc.assert(
      fc.property(tidyPack, fc.boolean(), ({ blobs, sizeBytes }, isComplete) => {
        for (const { from, to, count } of planWindows(blobs, sizeBytes, isComplete, 400))
          if (count !== 1) expect(to - from).toBeLessThanOrEqual(400);
      }),
    );
  });

  it("leave out what lies between far blobs, and take small gaps along", () => {
    const [near, far] = [100 * 1024, 1024 * 1024];
    const blobs = [
      { offset: 0, length: 10 },
      { offset: 10 + near, length: 10 },
      { offset: 20 + near + far, length: 10 },
    ];
    const windows = [...planWindows(blobs, 10 * far, false)];
    expect(windows.map(({ from, to }) => [from, to])).toEqual([
      [0, 20 + near],
      [20 + near + far, 30 + near + far],
    ]);
  });
});
