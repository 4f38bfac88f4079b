/** Finds again what the index lists for one pack, for packs that must be looked at closely. */
import { decodeIndex } from "../../repository/index/index-file.ts";
import type { PackedBlob } from "../../repository/pack/pack-header.ts";
import { decodeUnpacked, unpackedLimits } from "../../repository/unpacked-file.ts";
import type { CheckContext } from "../check-context.ts";
import { describeLoss } from "../report/lost-file.ts";
import { fetchIndexFile } from "./index-files.ts";
import type { PackLedger } from "./pack-ledger.ts";
import { mergeListings, type PackListing } from "./pack-listing.ts";

type FileListings = Map<string, (readonly PackedBlob[])[]>;

/** Packs that need a close look often stand in one index file. */
const filesHeldMax = 2;
/** Of a larger file only the blobs of the pack that is asked for are kept. */
const heldBlobsMax = 200_000;

export class PackListings {
  readonly #context: CheckContext;
  readonly #ledger: PackLedger;
  readonly #held = new Map<number, FileListings>();
  /** Files are read one at a time: they may be large. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(context: CheckContext, ledger: PackLedger) {
    this.#context = context;
    this.#ledger = ledger;
  }

  /** All blobs that index files list for the pack. Those of a file that can't be read any more are left out. */
  async find(pack: number): Promise<PackListing> {
    const found = this.#reading.then(async () => await this.#collect(pack));
    this.#reading = found.catch(() => undefined);
    return await found;
  }

  async #collect(pack: number): Promise<PackListing> {
    const id = this.#ledger.idOf(pack);
    const listings: (readonly PackedBlob[])[] = [];
    for (const file of this.#ledger.filesOf(pack)) {
      const held = this.#held.get(file) ?? (await this.#readFile(file, id));
      listings.push(...(held.get(id) ?? []));
    }
    return mergeListings(listings);
  }

  async #readFile(file: number, wanted: string): Promise<FileListings> {
    const name = this.#ledger.indexFiles[file];
    const found: FileListings = new Map();
    let others = 0;
    try {
      const stored = await fetchIndexFile(this.#context, name);
      const json = decodeUnpacked(
        this.#context.sealer,
        stored,
        `index/${name}`,
        unpackedLimits.index,
      );
      for (const { id, blobs } of decodeIndex(json, `index/${name}`)) {
        if (id !== wanted) others += blobs.length;
        if (id === wanted || others <= heldBlobsMax)
          found.set(id, [...(found.get(id) ?? []), blobs]);
      }
    } catch (error) {
      // Reported when the index was read.
      describeLoss(error);
    }
    if (others <= heldBlobsMax) this.#hold(file, found);
    return found;
  }

  #hold(file: number, found: FileListings): void {
    this.#held.set(file, found);
    const [oldest] = this.#held.keys();
    if (this.#held.size > filesHeldMax && oldest !== undefined) this.#held.delete(oldest);
  }
}
