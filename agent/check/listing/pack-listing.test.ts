import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { craftedSealer, craftPack, hashOf } from "../../../test/repository/crafted-packs.ts";
import { decodeHeader, type PackedBlob } from "../../repository/pack/pack-header.ts";
import {
  type BlobColumns,
  describeDifferences,
  ListingMeasure,
  mergeListings,
} from "./pack-listing.ts";

/** Blobs as an index lists them. */
function columnsOf(blobs: readonly PackedBlob[]): BlobColumns {
  return {
    count: blobs.length,
    ids: new Uint8Array(Buffer.concat(blobs.map(({ id }) => id))),
    types: Uint8Array.from(blobs, ({ isTree }) => (isTree ? 1 : 0)),
    offsets: Uint32Array.from(blobs, ({ offset }) => offset),
    lengths: Uint32Array.from(blobs, ({ length }) => length),
    plainLengths: Uint32Array.from(blobs, ({ plainLength }) => plainLength),
  };
}

const contents = fc.array(
  fc.record({ plain: fc.uint8Array({ maxLength: 50 }), isTree: fc.boolean() }),
  { minLength: 1, maxLength: 12 },
);

describe("a listing", () => {
  it("in any order amounts to the header and the size of its pack", () => {
    const measure = new ListingMeasure();
    fc.assert(
      fc.property(contents, fc.infiniteStream(fc.nat(1000)), (blobs, order) => {
        const pack = craftPack(craftedSealer(), blobs);
        const keys = blobs.map(() => order.next().value as number);
        const listed = decodeHeader(pack.header, pack.id)
          .map((blob, i) => ({ blob, key: keys[i] }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ blob }) => blob);
        const facts = measure.measure(columnsOf(listed));
        expect(Buffer.compare(facts.header, pack.header)).toBe(0);
        expect(facts).toMatchObject({
          sizeBytes: pack.bytes.length,
          isOdd: false,
          hasTrees: blobs.some(({ isTree }) => isTree),
          hasData: blobs.some(({ isTree }) => !isTree),
          blobBytesMax: Math.max(...blobs.map(({ plain }) => plain.length)) + 32,
        });
        expect(Buffer.compare(mergeListings([listed]).header, pack.header)).toBe(0);
      }),
    );
  });

  it("with a gap, an overlap or a late begin is odd", () => {
    const measure = new ListingMeasure();
    const blob = (offset: number, length: number): PackedBlob => ({
      id: hashOf(Buffer.of(offset)),
      isTree: false,
      offset,
      length,
      plainLength: 0,
    });
    expect(measure.measure(columnsOf([blob(0, 40), blob(40, 50)])).isOdd).toBe(false);
    expect(measure.measure(columnsOf([blob(0, 40), blob(41, 50)])).isOdd).toBe(true);
    expect(measure.measure(columnsOf([blob(0, 40), blob(39, 50)])).isOdd).toBe(true);
    expect(measure.measure(columnsOf([blob(1, 40)])).isOdd).toBe(true);
    const inside = measure.measure(columnsOf([blob(0, 100), blob(40, 33)]));
    expect(inside).toMatchObject({ isOdd: true, sizeBytes: 100 + 2 * 37 + 36 });
  });

  it("counts the plain length of compressed blobs", () => {
    const blob = { id: new Uint8Array(32), isTree: true, offset: 0, length: 40, plainLength: 7000 };
    const facts = new ListingMeasure().measure(columnsOf([blob]));
    expect(facts).toMatchObject({ blobBytesMax: 7000, sizeBytes: 40 + 41 + 36 });
  });
});

it("several listings of a pack are merged, equal entries once", () => {
  const pack = craftPack(craftedSealer(), [{ plain: Buffer.of(1) }, { plain: Buffer.of(2) }]);
  const [first, second] = decodeHeader(pack.header, pack.id);
  const merged = mergeListings([[second, first], [first]]);
  expect(merged.blobs).toEqual([first, second]);
  expect(Buffer.compare(merged.header, pack.header)).toBe(0);
});

it("differences between header and index are told from both sides", () => {
  const blob: PackedBlob = {
    id: new Uint8Array(32).fill(0xab),
    isTree: false,
    offset: 0,
    length: 40,
    plainLength: 0,
  };
  expect(describeDifferences([blob], [blob])).toEqual([]);
  const id = "ab".repeat(32);
  expect(describeDifferences([blob], [{ ...blob, isTree: true }])).toEqual([
    `only the pack's own header names: data blob ${id} of 8 bytes in 40 at 0`,
    `only the index names: tree blob ${id} of 8 bytes in 40 at 0`,
  ]);
  const others = [1, 2].map((n) => ({ ...blob, offset: n * 40, plainLength: 100 }));
  expect(describeDifferences([blob, ...others], [blob])).toEqual([
    `only the pack's own header names: data blob ${id} of 100 bytes in 40 at 40 and 1 more`,
  ]);
  expect(describeDifferences([blob, blob], [blob])).toHaveLength(1);
});
