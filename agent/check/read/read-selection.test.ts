import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  assertReadData,
  type ReadData,
  type SelectablePack,
  selectPacks,
} from "./read-selection.ts";

const packs: fc.Arbitrary<SelectablePack[]> = fc.array(
  fc.record({ firstByte: fc.nat(255), sizeBytes: fc.integer({ min: 1, max: 1000 }) }),
  { maxLength: 60 },
);
const chance = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
  minLength: 1,
});

/** A source of chance that gives these values again and again. */
function randomOf(values: readonly number[]): () => number {
  let next = 0;
  return () => values[next++ % values.length];
}

const countOf = (chosen: readonly boolean[]): number => chosen.filter(Boolean).length;

describe("which packs are read", () => {
  it("none or all", () => {
    const three = Array.from({ length: 3 }, () => ({ firstByte: 0, sizeBytes: 1 }));
    expect(countOf(selectPacks(three, { kind: "none" }, Math.random))).toBe(0);
    expect(countOf(selectPacks(three, { kind: "all" }, Math.random))).toBe(3);
  });

  it("slices hold every pack exactly once, the same each time", () => {
    fc.assert(
      fc.property(packs, fc.integer({ min: 1, max: 256 }), (list, of) => {
        const times = list.map(() => 0);
        for (let part = 1; part <= of; part += 1) {
          const chosen = selectPacks(list, { kind: "slice", part, of }, Math.random);
          for (const [i, isChosen] of chosen.entries()) if (isChosen) times[i] += 1;
        }
        expect(times.every((count) => count === 1)).toBe(true);
      }),
    );
  });

  it("restic's first of five has ids that begin with 00, 05, 0a …", () => {
    const list = Array.from({ length: 256 }, (_, firstByte) => ({ firstByte, sizeBytes: 1 }));
    const chosen = selectPacks(list, { kind: "slice", part: 1, of: 5 }, Math.random);
    expect(list.filter((_, i) => chosen[i]).map(({ firstByte }) => firstByte)).toEqual(
      Array.from({ length: 52 }, (_, i) => i * 5),
    );
  });

  it("a share is so many packs, at least one", () => {
    fc.assert(
      fc.property(
        packs,
        fc.double({ min: 0.01, max: 100, noNaN: true }),
        chance,
        (list, percent, values) => {
          const chosen = selectPacks(list, { kind: "percent", percent }, randomOf(values));
          const expected = Math.max(1, Math.floor((list.length * percent) / 100));
          expect(countOf(chosen)).toBe(Math.min(list.length, expected));
        },
      ),
    );
  });

  it("an amount is reached, and not by a pack more than it takes", () => {
    fc.assert(
      fc.property(packs, fc.integer({ min: 1, max: 20_000 }), chance, (list, bytes, values) => {
        const chosen = selectPacks(list, { kind: "bytes", bytes }, randomOf(values));
        const sizes = list.filter((_, i) => chosen[i]).map(({ sizeBytes }) => sizeBytes);
        const sum = sizes.reduce((total, size) => total + size, 0);
        const all = list.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
        expect(sum).toBeGreaterThanOrEqual(Math.min(bytes, all));
        if (sizes.length > 0) expect(sum - Math.max(...sizes)).toBeLessThan(bytes);
      }),
    );
  });

  it("chance reaches every pack", () => {
    const list = Array.from({ length: 10 }, () => ({ firstByte: 0, sizeBytes: 1 }));
    const seen = new Set<number>();
    for (let i = 0; i < 500; i += 1)
      seen.add(selectPacks(list, { kind: "bytes", bytes: 1 }, Math.random).indexOf(true));
    expect(seen.size).toBe(10);
  });
});

it.each<ReadData>([
  { kind: "slice", part: 0, of: 5 },
  { kind: "slice", part: 6, of: 5 },
  { kind: "slice", part: 1, of: 257 },
  { kind: "slice", part: 1.5, of: 2 },
  { kind: "slice", part: Number.NaN, of: 2 },
  { kind: "percent", percent: 0 },
  { kind: "percent", percent: 100.1 },
  { kind: "percent", percent: Number.NaN },
  { kind: "bytes", bytes: 0 },
  { kind: "bytes", bytes: -1 },
])("%o is refused", (wanted) => {
  expect(() => assertReadData(wanted)).toThrow(expect.objectContaining({ code: "USAGE" }));
});
