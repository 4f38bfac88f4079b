import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { areNamesAscending, compareNames, sortNames } from "./name-sort.ts";

interface PackedNames {
  readonly names: Uint8Array;
  readonly offsets: Uint32Array;
  readonly count: number;
}

function pack(list: readonly Uint8Array[]): PackedNames {
  const offsets = new Uint32Array(list.length + 1);
  for (const [index, name] of list.entries()) {
    offsets[index + 1] = offsets[index] + name.length;
  }
  return { names: Buffer.concat(list), offsets, count: list.length };
}

function sorted(list: readonly Uint8Array[]): string[] {
  const { names, offsets, count } = pack(list);
  return Array.from(sortNames(names, offsets, count), (number) =>
    Buffer.from(names.subarray(offsets[number], offsets[number + 1])).toString("hex"),
  );
}

function expected(list: readonly Uint8Array[]): string[] {
  return list.toSorted(Buffer.compare).map((name) => Buffer.from(name).toString("hex"));
}

/** Few different bytes, so that names share beginnings, repeat, and contain each other. */
const likeName = fc
  .array(fc.constantFrom(1, 0x61, 0x62, 0xff), { minLength: 1, maxLength: 12 })
  .map((bytes) => Uint8Array.from(bytes));
const anyName = fc.uint8Array({ min: 1, minLength: 1, maxLength: 255 });

describe("sortNames", () => {
  it("orders names as their raw bytes do", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(likeName, anyName), { maxLength: 200 }), (list) => {
        expect(sorted(list)).toEqual(expected(list));
      }),
    );
  });

  it("orders many names that share a beginning", () => {
    const list = Array.from({ length: 5000 }, (_, index) =>
      Buffer.from(`a long beginning that they share/${(index * 7919) % 5003}.jpeg`),
    );
    expect(sorted(list)).toEqual(expected(list));
  });

  it("orders many equal names", () => {
    const list = Array.from({ length: 500 }, (_, index) => Buffer.from(`name${index % 3}`));
    expect(sorted(list)).toEqual(expected(list));
  });

  it("orders more names than four bytes of key leave room to number", () => {
    const count = 2 ** 21 + 3;
    const names = new Uint8Array(count * 4);
    const offsets = new Uint32Array(count + 1);
    for (let index = 0; index < count; index++) {
      // An odd factor visits every number once; digits in base 128 keep zero bytes out.
      let rest = (index * 1_000_003) % count;
      for (let at = 3; at >= 0; at--) {
        names[index * 4 + at] = 1 + (rest % 128);
        rest = Math.floor(rest / 128);
      }
      offsets[index + 1] = (index + 1) * 4;
    }
    const order = sortNames(names, offsets, count);
    let outOfPlace = 0;
    for (let index = 1; index < count; index++) {
      outOfPlace += compareNames(names, offsets, order[index - 1], order[index], 0) < 0 ? 0 : 1;
    }
    expect(outOfPlace).toBe(0);
  });
});

describe("areNamesAscending", () => {
  it("holds exactly for sorted lists without duplicates", () => {
    fc.assert(
      fc.property(fc.array(likeName, { maxLength: 8 }), (list) => {
        const { names, offsets, count } = pack(list);
        const isAscending = list.every(
          (name, index) => index === 0 || Buffer.compare(list[index - 1] ?? name, name) < 0,
        );
        expect(areNamesAscending(names, offsets, count)).toBe(isAscending);
      }),
    );
  });
});
