import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlobBits } from "./blob-bits.ts";
import { NumberList } from "./number-list.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });

describe("a list of numbers", () => {
  it("keeps what is pushed, in any portions, and gives it back from the end", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(u32, fc.array(u32))), (portions) => {
        const list = new NumberList(1);
        for (const portion of portions)
          if (typeof portion === "number") list.push(portion);
          else list.pushAll(Uint32Array.from(portion));
        const expected = portions.flat();
        expect([...list.toArray()]).toEqual(expected);
        const popped = expected.map(() => list.pop());
        expect(popped).toEqual(expected.toReversed());
        expect(list.pop()).toBeUndefined();
      }),
    );
  });

  it("leaves each number once from a place on, ascending", () => {
    fc.assert(
      fc.property(fc.array(u32), fc.array(fc.nat(9)), (head, tail) => {
        const list = new NumberList();
        list.pushAll(Uint32Array.from([...head, ...tail]));
        list.sortFrom(head.length);
        const sorted = [...new Set(tail)].toSorted((a, b) => a - b);
        expect([...list.toArray()]).toEqual([...head, ...sorted]);
      }),
    );
  });
});

it("bits are those that were set, less those taken back", () => {
  const entries = fc.array(fc.nat(200));
  fc.assert(
    fc.property(entries, entries, entries, (set, cleared, subtracted) => {
      const [bits, others] = [BlobBits.create(200), BlobBits.create(200)];
      for (const entry of set) bits.set(entry);
      for (const entry of cleared) bits.clear(entry);
      for (const entry of subtracted) others.set(entry);
      bits.subtract(others);
      const gone = new Set([...cleared, ...subtracted]);
      const expected = new Set(set.filter((entry) => !gone.has(entry)));
      const shown = new BlobBits(bits.shared);
      for (let entry = 0; entry <= 200; entry += 1)
        expect(shown.has(entry)).toBe(expected.has(entry));
      expect(bits.count).toBe(expected.size);
      expect(bits.isEmpty).toBe(expected.size === 0);
    }),
  );
});
