/**
 * Puts the refs of a plan into the order in which they are fetched: pack by pack, each from its beginning to its end,
 * so that every pack is read once. Packs come in the order in which files need them, so that files are
 * completed one after the other.
 */
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { missingEntry, type RestorePlan } from "../plan/restore-plan.ts";

/** Numbers of refs, in shared memory. */
export interface BlobOrder {
  readonly order: Uint32Array;
  /** Bytes of blobs once for each place where they are written. */
  readonly plainBytes: number;
}

/** Orders the refs that `isWanted` names and that are not in place already. */
export function orderRefs(
  plan: RestorePlan,
  blobs: BlobTable,
  isWanted: (ref: number) => boolean,
): BlobOrder {
  const ranks = new Int32Array(blobs.packCount).fill(-1);
  const counts: number[] = [];
  let total = 0;
  let plainBytes = 0;
  const wanted = (ref: number): boolean =>
    plan.entryOf(ref) !== missingEntry && !plan.isRefDone(ref) && isWanted(ref);
  for (let ref = 0; ref < plan.refs; ref += 1) {
    if (!wanted(ref)) continue;
    const entry = plan.entryOf(ref);
    const pack = blobs.packOf(entry);
    if (ranks[pack] < 0) {
      ranks[pack] = counts.length;
      counts.push(0);
    }
    counts[ranks[pack]] += 1;
    total += 1;
    plainBytes += blobs.plainLengthOf(entry);
  }
  const starts = new Uint32Array(counts.length + 1);
  for (const [rank, count] of counts.entries()) starts[rank + 1] = starts[rank] + count;
  const order = new Uint32Array(new SharedArrayBuffer(total * 4));
  const next = starts.slice();
  for (let ref = 0; ref < plan.refs; ref += 1) {
    if (!wanted(ref)) continue;
    const rank = ranks[blobs.packOf(plan.entryOf(ref))];
    order[next[rank]] = ref;
    next[rank] += 1;
  }
  for (let rank = 0; rank < counts.length; rank += 1)
    sortByOffset(order, starts[rank], starts[rank + 1], plan, blobs);
  return { order, plainBytes };
}

/** Offset (u32) and place in the group share one exact number, which sorts without a function. */
const placesMax = 2 ** 21;

function sortByOffset(
  order: Uint32Array,
  from: number,
  to: number,
  plan: RestorePlan,
  blobs: BlobTable,
): void {
  const offsetOf = (ref: number): number => blobs.offsetOf(plan.entryOf(ref));
  if (to - from > placesMax) {
    order.subarray(from, to).sort((a, b) => offsetOf(a) - offsetOf(b) || a - b);
    return;
  }
  const refs = order.slice(from, to);
  const keys = new Float64Array(refs.length);
  for (let i = 0; i < refs.length; i += 1) keys[i] = offsetOf(refs[i]) * placesMax + i;
  keys.sort();
  for (let i = 0; i < refs.length; i += 1) order[from + i] = refs[keys[i] % placesMax];
}
