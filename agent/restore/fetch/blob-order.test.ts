/** Every wanted blob is fetched exactly once, in long requests. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { craftNode } from "../../../test/repository/crafted-snapshot.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { missingEntry, RestorePlan, rowFlag } from "../plan/restore-plan.ts";
import { orderRefs } from "./blob-order.ts";
import { packRanges } from "./pack-ranges.ts";

interface Scene {
  readonly plan: RestorePlan;
  readonly blobs: BlobTable;
}

/** `blobLists[p]` are lengths of the blobs of pack p, with gaps between them; `uses` name them by number. */
function scene(
  blobLists: readonly (readonly { length: number; gap: number }[])[],
  uses: readonly number[],
): Scene {
  const blobs = BlobTable.create(100);
  const plan = RestorePlan.create();
  const entries: number[] = [];
  for (const [pack, list] of blobLists.entries()) {
    const number = blobs.addPack(new Uint8Array(32).fill(pack));
    let offset = 0;
    for (const { length, gap } of list) {
      const id = new Uint8Array(32);
      new DataView(id.buffer).setUint32(0, entries.length + 1);
      offset += gap;
      blobs.add(id, 0, false, { pack: number, offset, length, plainLength: 0 });
      entries.push(blobs.find(id, 0, false));
      offset += length;
    }
  }
  const row = plan.addRow(0, craftNode({ name: "f", type: "file" }), rowFlag.selected);
  for (const use of uses)
    plan.addRef(entries.length === 0 ? missingEntry : entries[use % entries.length], row, 0);
  return { plan, blobs };
}

const lists = fc.array(
  fc.array(fc.record({ length: fc.integer({ min: 33, max: 3_000_000 }), gap: fc.nat(2_000_000) }), {
    maxLength: 12,
  }),
  { maxLength: 5 },
);

describe("orderRefs and packRanges", () => {
  it("cover every ref once, pack by pack, with requests inside their bounds", () => {
    const rangeBytesMax = 4 * 1024 * 1024;
    fc.assert(
      fc.property(lists, fc.array(fc.nat(200), { maxLength: 80 }), (blobLists, uses) => {
        const { plan, blobs } = scene(blobLists, uses);
        const { order } = orderRefs(plan, blobs, (ref) => ref % 7 !== 3);
        const wanted = Array.from({ length: plan.refs }, (_, ref) => ref).filter(
          (ref) => ref % 7 !== 3 && plan.entryOf(ref) !== missingEntry,
        );
        expect([...order].toSorted((a, b) => a - b)).toEqual(wanted);
        const seen = new Set<number>();
        let next = 0;
        let last = { pack: -1, end: 0 };
        for (const range of packRanges(order, plan, blobs, rangeBytesMax)) {
          expect(range.from).toBe(next);
          next = range.to;
          if (range.pack === last.pack) expect(range.offset).toBeGreaterThanOrEqual(last.end);
          else expect(seen.has(range.pack)).toBe(false);
          seen.add(range.pack);
          const end = range.offset + range.length;
          last = { pack: range.pack, end };
          let longest = 0;
          for (let at = range.from; at < range.to; at += 1) {
            const entry = plan.entryOf(order[at]);
            expect(blobs.packOf(entry)).toBe(range.pack);
            expect(blobs.offsetOf(entry)).toBeGreaterThanOrEqual(range.offset);
            const blobEnd = blobs.offsetOf(entry) + blobs.storedLengthOf(entry);
            expect(blobEnd).toBeLessThanOrEqual(end);
            longest = Math.max(longest, blobs.storedLengthOf(entry));
          }
          expect(range.length).toBeLessThanOrEqual(Math.max(rangeBytesMax, longest));
        }
        expect(next).toBe(order.length);
      }),
      { numRuns: 200 },
    );
  });

  it("puts neighbours into one request, and skips gaps above 1 MiB", () => {
    const { plan, blobs } = scene(
      [
        [
          { length: 1000, gap: 0 },
          { length: 1000, gap: 1024 * 1024 },
          { length: 1000, gap: 1024 * 1024 + 1 },
        ],
      ],
      [2, 0, 1, 0],
    );
    const { order, plainBytes } = orderRefs(plan, blobs, () => true);
    expect([...packRanges(order, plan, blobs, 1e9)].map(({ length, to }) => [length, to])).toEqual([
      [1024 * 1024 + 2000, 3],
      [1000, 4],
    ]);
    expect(plainBytes).toBe(4 * (1000 - 32));
  });

  it("leaves out what is in place", () => {
    const { plan, blobs } = scene([[{ length: 100, gap: 0 }]], [0, 0, 0]);
    plan.markRefDone(1, true);
    expect([...orderRefs(plan, blobs, () => true).order]).toEqual([0, 2]);
    plan.markRefDone(1, false);
    expect(plan.rowOf(1)).toBe(1);
    expect([...orderRefs(plan, blobs, () => true).order]).toEqual([0, 1, 2]);
  });
});
