/** Reads a pack blob by blob, as the index lists them: to learn exactly what of it is damaged, and for packs of any size. */

import type { ByteBudget } from "../../../storage/byte-budget.ts";
import type { ByteRange } from "../../../storage/object-store.ts";
import { isLargeBlob } from "../../repository/blob/blob-opener.ts";
import { idToHex } from "../../repository/id.ts";
import type { PackedBlob } from "../../repository/pack/pack-header.ts";
import { readPackHeader } from "../../repository/pack/pack-reader.ts";
import type { CheckContext } from "../check-context.ts";
import type { PackLedger } from "../listing/pack-ledger.ts";
import { describeDifferences, type PackListing } from "../listing/pack-listing.ts";
import { describeLoss } from "../report/lost-file.ts";
import { placeNumbers, type WindowJob } from "./check-messages.ts";
import type { CheckPool } from "./check-pool.ts";
import { planWindows, type ReadWindow } from "./read-windows.ts";

/** Memory that one blob may take: its sealed bytes, and its plain bytes where they are held. */
const blobMemoryBytesMax = 896 * 1024 * 1024;
/** Blobs that are named in the text about a pack. */
const namedBlobsMax = 3;

/** What a close look at a pack found. */
export interface CloseLook {
  /** What is wrong with the pack, for people; empty if nothing is. */
  readonly details: readonly string[];
  /** Blobs that can't be had from this pack. */
  readonly badBlobs: readonly PackedBlob[];
  /** Blobs too large to be opened here. */
  readonly tooLarge: readonly PackedBlob[];
  /** Records of the trees that were opened; see tree-records.ts. */
  readonly trees: readonly Uint32Array[];
}

export interface CloseLookParts {
  readonly context: CheckContext;
  readonly ledger: PackLedger;
  readonly pool: CheckPool;
  readonly budget: ByteBudget;
}

/** With `onlyTrees` just the trees that the index lists are read, otherwise every byte of the pack. */
export async function lookClosely(
  parts: CloseLookParts,
  pack: number,
  listing: PackListing,
  onlyTrees: boolean,
): Promise<CloseLook> {
  const look = new OpenLook(parts, pack, onlyTrees);
  if (!onlyTrees) await look.compareHeader(listing);
  await look.readBlobs(listing);
  return look.finish();
}

class OpenLook {
  readonly #parts: CloseLookParts;
  readonly #id: string;
  readonly #sizeBytes: number;
  readonly #onlyTrees: boolean;
  readonly #stream: number;
  readonly #details: string[] = [];
  readonly #badBlobs: PackedBlob[] = [];
  readonly #badTexts: string[] = [];
  readonly #tooLarge: PackedBlob[] = [];
  readonly #trees: Uint32Array[] = [];
  #digest: Uint8Array | undefined;
  #canDigest: boolean;

  constructor(parts: CloseLookParts, pack: number, onlyTrees: boolean) {
    this.#parts = parts;
    this.#id = parts.ledger.idOf(pack);
    this.#sizeBytes = parts.ledger.storedBytesOf(pack);
    this.#onlyTrees = onlyTrees;
    this.#canDigest = !onlyTrees;
    this.#stream = parts.pool.nextStream();
  }

  /** Holds the pack's own header against what the index lists. */
  async compareHeader(listing: PackListing): Promise<void> {
    const { store, sealer, signal } = this.#parts.context;
    try {
      const { header, blobs } = await readPackHeader(
        store,
        sealer,
        this.#id,
        this.#sizeBytes,
        signal,
      );
      const isSame = Buffer.compare(header, listing.header) === 0;
      if (!isSame) this.#details.push(...describeDifferences(blobs, listing.blobs));
    } catch (error) {
      this.#details.push(describeLoss(error));
    }
  }

  async readBlobs(listing: PackListing): Promise<void> {
    const readable = listing.blobs.filter((blob) => this.#isReadable(blob));
    for (const window of planWindows(readable, this.#sizeBytes, !this.#onlyTrees)) {
      this.#parts.context.signal.throwIfAborted();
      const blobs = readable.slice(window.first, window.first + window.count);
      await this.#readWindow(window, blobs);
    }
  }

  finish(): CloseLook {
    const digest = this.#digest;
    if (digest !== undefined && idToHex(digest) !== this.#id)
      this.#details.unshift("its content is not what its name says");
    if (this.#badBlobs.length > 0) {
      const others = this.#badBlobs.length > this.#badTexts.length ? "; …" : "";
      const count = `${this.#badBlobs.length} ${this.#badBlobs.length === 1 ? "blob is" : "blobs are"} damaged`;
      this.#details.push(`${count}: ${this.#badTexts.join("; ")}${others}`);
    }
    return {
      details: this.#details,
      badBlobs: this.#badBlobs,
      tooLarge: this.#tooLarge,
      trees: this.#trees,
    };
  }

  #isReadable(blob: PackedBlob): boolean {
    if (this.#onlyTrees && !blob.isTree) return false;
    if (blob.offset + blob.length > this.#sizeBytes) {
      this.#addBad(blob, "it lies beyond the end of the pack");
      return false;
    }
    if (blob.length + memoryFor(blob) > blobMemoryBytesMax) {
      this.#tooLarge.push(blob);
      return false;
    }
    return true;
  }

  async #readWindow(window: ReadWindow, blobs: readonly PackedBlob[]): Promise<void> {
    const { context, pool, budget } = this.#parts;
    const { from, to } = window;
    const cost = to - from + largestDecoding(blobs);
    await budget.take(cost, context.signal);
    try {
      const bytes = await this.#load({ offset: from, length: to - from }, blobs);
      if (bytes === undefined) return;
      const answer = await pool.verifyWindow(this.#makeJob(window, blobs, bytes));
      for (const { place, problem } of answer.badBlobs) this.#addBad(blobs[place], problem);
      if (answer.trees.length > 0) this.#trees.push(answer.trees);
      if (answer.digest !== undefined) {
        this.#digest = answer.digest;
        // Blobs that overlap the end may come after it.
        this.#canDigest = false;
      }
    } finally {
      budget.give(cost);
    }
  }

  /** The bytes, or undefined if they can't be had; then the blobs are noted as bad. */
  async #load(range: ByteRange, blobs: readonly PackedBlob[]): Promise<Uint8Array | undefined> {
    const { store, signal } = this.#parts.context;
    try {
      return ownBytes(await store.load({ type: "data", name: this.#id }, range, signal));
    } catch (error) {
      const problem = describeLoss(error);
      this.#canDigest = false;
      const end = range.offset + range.length;
      this.#details.push(`bytes ${range.offset} to ${end} can't be read: ${problem}`);
      for (const blob of blobs) this.#addBad(blob, problem);
      return undefined;
    }
  }

  #makeJob(window: ReadWindow, blobs: readonly PackedBlob[], bytes: Uint8Array): WindowJob {
    const ids = new Uint8Array(blobs.length * 32);
    const places = new Float64Array(blobs.length * placeNumbers);
    for (const [place, { id, isTree, offset, length, plainLength }] of blobs.entries()) {
      ids.set(id, place * 32);
      places.set([offset - window.from, length, plainLength, isTree ? 1 : 0], place * placeNumbers);
    }
    return {
      kind: "window",
      stream: this.#stream,
      bytes,
      digestFrom: this.#canDigest ? window.newFrom - window.from : undefined,
      isLast: window.to >= this.#sizeBytes,
      ids,
      places,
    };
  }

  #addBad(blob: PackedBlob, problem: string): void {
    this.#badBlobs.push(blob);
    if (this.#badTexts.length < namedBlobsMax)
      this.#badTexts.push(`${blob.isTree ? "tree" : "data"} ${idToHex(blob.id)}: ${problem}`);
  }
}

/** The same bytes in memory that nothing else shares, so that it can be given to a thread. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
}

/** Memory of the largest blob that is decoded in memory of its own. */
function largestDecoding(blobs: readonly PackedBlob[]): number {
  return blobs.reduce((largest, blob) => Math.max(largest, memoryFor(blob)), 0);
}

/** What a large tree takes besides its sealed bytes; large data are never held. */
function memoryFor({ isTree, length, plainLength }: PackedBlob): number {
  return isTree && isLargeBlob(length, plainLength) ? Math.max(length, plainLength) : 0;
}
