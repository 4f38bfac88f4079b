/** Cuts ordered refs into requests: neighbours share one, gaps are skipped where that saves more than it costs. */
import type { BlobTable } from "../../repository/index/blob-table.ts";
import type { RestorePlan } from "../plan/restore-plan.ts";

/** A gap up to this long is fetched along: cheaper than another request. */
const gapBytesMax = 1024 * 1024;

/** One request: bytes `[offset, offset + length)` of a pack hold the blobs of refs `order[from, to)`. */
export interface PackRange {
  readonly pack: number;
  readonly offset: number;
  readonly length: number;
  readonly from: number;
  readonly to: number;
}

/** Ranges in order, each at most `rangeBytesMax` long unless one blob is longer. */
export function* packRanges(
  order: Uint32Array,
  plan: RestorePlan,
  blobs: BlobTable,
  rangeBytesMax: number,
): Generator<PackRange, void, undefined> {
  let from = 0;
  while (from < order.length) {
    const entry = plan.entryOf(order[from]);
    const pack = blobs.packOf(entry);
    const offset = blobs.offsetOf(entry);
    let end = offset + blobs.storedLengthOf(entry);
    let to = from + 1;
    for (; to < order.length; to += 1) {
      const next = plan.entryOf(order[to]);
      if (blobs.packOf(next) !== pack) break;
      const start = blobs.offsetOf(next);
      const nextEnd = Math.max(end, start + blobs.storedLengthOf(next));
      if (start > end + gapBytesMax || nextEnd - offset > rangeBytesMax) break;
      end = nextEnd;
    }
    yield { pack, offset, length: end - offset, from, to };
    from = to;
  }
}
