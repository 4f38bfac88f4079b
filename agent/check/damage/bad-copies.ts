/** Which stored copies of blobs are bad, and which blobs have no good copy left. */
import type { CheckContext } from "../check-context.ts";
import { rereadIndex } from "../listing/index-files.ts";
import type { PackLedger } from "../listing/pack-ledger.ts";
import { BlobBits } from "../trees/blob-bits.ts";

export class BadCopies {
  readonly #packs = new Set<number>();
  /** By pack: the entries of blobs. */
  readonly #blobs = new Map<number, Set<number>>();

  get isEmpty(): boolean {
    return this.#packs.size === 0 && this.#blobs.size === 0;
  }

  /** Nothing in the pack can be had. */
  addPack(pack: number): void {
    this.#packs.add(pack);
  }

  /** The blob with this entry of the blob table can't be had from this pack. */
  addBlob(pack: number, entry: number): void {
    const blobs = this.#blobs.get(pack);
    if (blobs === undefined) this.#blobs.set(pack, new Set([entry]));
    else blobs.add(entry);
  }

  has(pack: number, entry: number): boolean {
    return this.#packs.has(pack) || this.#blobs.get(pack)?.has(entry) === true;
  }
}

/** The blobs of which every copy that the index lists is bad. */
export async function findHurtBlobs(
  context: CheckContext,
  ledger: PackLedger,
  bad: BadCopies,
): Promise<BlobBits> {
  const { table } = ledger;
  const hurt = BlobBits.create(table.count);
  if (bad.isEmpty) return hurt;
  const good = BlobBits.create(table.count);
  await rereadIndex(context, ledger, (id, { count, ids, types }) => {
    const pack = ledger.findBytes(id);
    if (pack < 0) return;
    for (let i = 0; i < count; i += 1) {
      const entry = table.find(ids, i * 32, types[i] === 1);
      if (entry >= 0) (bad.has(pack, entry) ? hurt : good).set(entry);
    }
  });
  hurt.subtract(good);
  return hurt;
}
