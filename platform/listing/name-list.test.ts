import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DirectoryListing } from "../ports/source-files.ts";
import { NameList } from "./name-list.ts";

function namesOf(listing: DirectoryListing): string[] {
  return Array.from({ length: listing.count }, (_, index) =>
    Buffer.from(
      listing.names.subarray(listing.offsets[index], listing.offsets[index + 1]),
    ).toString("latin1"),
  );
}

const name = fc.string({ unit: fc.constantFrom("a", "b", "é", "ÿ"), minLength: 1, maxLength: 3 });

describe("NameList", () => {
  it("keeps each name once and counts the others", () => {
    const list = new NameList();
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), (names) => {
        for (const each of names) {
          list.add(Buffer.from(each, "latin1"));
        }
        const listing = list.take();
        const once = [...new Set(names)].toSorted((left, right) => (left < right ? -1 : 1));
        expect(namesOf(listing)).toEqual(once);
        expect(listing.duplicates).toBe(names.length - once.length);
        expect(listing.offsets).toHaveLength(once.length + 1);
        expect(listing.names).toHaveLength(listing.offsets[once.length]);
      }),
    );
  });

  it("gives listings of their own arrays, so that the next one leaves them alone", () => {
    const list = new NameList();
    list.add(Buffer.from("one"));
    const first = list.take();
    list.add(Buffer.from("two"));
    list.take();
    expect(namesOf(first)).toEqual(["one"]);
  });

  it("grows with its names and gives the space back", () => {
    const list = new NameList();
    const longName = Buffer.alloc(255, "n");
    for (let index = 0; index < 70_000; index++) {
      longName.write(String(index).padStart(6, "0"));
      list.add(longName);
    }
    const listing = list.take();
    expect(listing.count).toBe(70_000);
    expect(listing.names).toHaveLength(70_000 * 255);
    expect(namesOf(listing).at(-1)).toMatch(/^069999n+$/);
    expect(list.names.length + list.offsets.length).toBeLessThan(200_000);
  });

  it("refuses more names than offsets can number", () => {
    expect(() => new NameList().reserve(1, 2 ** 31 + 1)).toThrow(RangeError);
  });
});
