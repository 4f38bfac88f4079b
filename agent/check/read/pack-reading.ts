/**
 * Reads packs, several at once within a bound of bytes, and has threads verify them. A pack is read whole and
 * compared with what the index says in one go; where that fails, or where a pack is large or odd, it is read
 * again blob by blob.
 */

import { ByteBudget } from "../../../storage/byte-budget.ts";
import { largeBlobBytesMin } from "../../repository/blob/blob-opener.ts";
import { idFromHex, idToHex } from "../../repository/id.ts";
import type { CheckContext } from "../check-context.ts";
import type { BadCopies } from "../damage/bad-copies.ts";
import type { PackLedger } from "../listing/pack-ledger.ts";
import { PackListings } from "../listing/pack-listings.ts";
import type { CheckProblemKind } from "../report/check-report.ts";
import { describeLoss } from "../report/lost-file.ts";
import type { OpenProblem } from "../report/problem-list.ts";
import { readRecords, type TreeRecord } from "../trees/tree-records.ts";
import type { CheckPool } from "./check-pool.ts";
import { type CloseLook, lookClosely, ownBytes } from "./close-look.ts";

/** Larger packs are read in pieces. */
const wholePackBytesMax = 64 * 1024 * 1024;
/** Packs and pieces under way. */
const budgetBytesMax = 256 * 1024 * 1024;

/** How much of a pack is read. */
export interface PlannedPack {
  readonly pack: number;
  /** Only the trees, of a pack that holds data too; otherwise every byte. */
  readonly onlyTrees: boolean;
  /** True if the list of stored packs has shown already that something is wrong. */
  readonly isSuspicious: boolean;
}

export interface PackReadingParts {
  readonly context: CheckContext;
  readonly ledger: PackLedger;
  readonly pool: CheckPool;
  readonly bad: BadCopies;
  /** By number of the pack: its problem, if it has one. Undefined values are problems that are only counted. */
  readonly packProblems: Map<number, OpenProblem | undefined>;
  /** Told of every tree that was read; of some more than once. */
  readonly onTree: (record: TreeRecord) => void;
}

export class PackReading {
  readonly #parts: PackReadingParts;
  readonly #listings: PackListings;
  readonly #budget = new ByteBudget(budgetBytesMax);
  packsRead = 0;
  bytesRead = 0;

  constructor(parts: PackReadingParts) {
    this.#parts = parts;
    this.#listings = new PackListings(parts.context, parts.ledger);
  }

  /** Reads and verifies packs, reports those that are damaged and notes which blobs can't be had from them. */
  async verify(plan: readonly PlannedPack[]): Promise<void> {
    await this.#readAll(plan, "data", async (planned) => await this.#verifyPack(planned));
  }

  /** Reads only the trees of packs, once more; what can't be read now is left out. */
  async readTrees(packs: readonly number[]): Promise<void> {
    const plan = packs.map((pack) => ({ pack, onlyTrees: true, isSuspicious: false }));
    await this.#readAll(plan, "damage", async ({ pack }) => {
      if (!this.#parts.ledger.hasData(pack) && (await this.#readWhole(pack, true))) return;
      this.#noteTrees(await this.#lookAt(pack, true));
    });
  }

  async #readAll(
    plan: readonly PlannedPack[],
    phase: "data" | "damage",
    read: (planned: PlannedPack) => Promise<void>,
  ): Promise<void> {
    const { context, ledger, pool } = this.#parts;
    const bytesOf = ({ pack }: PlannedPack): number => ledger.storedBytesOf(pack);
    const bytesTotal = plan.reduce((sum, planned) => sum + bytesOf(planned), 0);
    const total = plan.length;
    let [next, done, bytesDone] = [0, 0, 0];
    const lane = async (): Promise<void> => {
      while (next < plan.length) {
        const planned = plan[next];
        next += 1;
        await read(planned);
        done += 1;
        bytesDone += bytesOf(planned);
        context.progress({ phase, done, total, bytesDone, bytesTotal });
      }
    };
    context.progress({ phase, done, total, bytesDone, bytesTotal });
    const lanes = Math.max(2 * pool.threads, context.store.capabilities.connections);
    await Promise.all(Array.from({ length: lanes }, lane));
  }

  async #verifyPack(planned: PlannedPack): Promise<void> {
    const { pack, onlyTrees, isSuspicious } = planned;
    const { ledger } = this.#parts;
    const canBeWhole =
      !onlyTrees &&
      !isSuspicious &&
      ledger.storedBytesOf(pack) <= wholePackBytesMax &&
      ledger.blobBytesMaxOf(pack) <= largeBlobBytesMin;
    if (!onlyTrees) {
      this.packsRead += 1;
      this.bytesRead += ledger.storedBytesOf(pack);
    }
    if (canBeWhole && (await this.#readWhole(pack, false))) return;
    let look = await this.#lookAt(pack, onlyTrees);
    // Read wrong once may be the memory's or the network's fault: only what is wrong twice is damage.
    let isRepeated = canBeWhole;
    if (!canBeWhole && !isSuspicious && !isSound(look)) {
      look = await this.#lookAt(pack, onlyTrees);
      isRepeated = true;
    }
    this.#noteTrees(look);
    this.#judge(planned, look, isRepeated);
  }

  /** True if the pack is what it should be; only then its trees are noted. */
  async #readWhole(pack: number, onlyTrees: boolean): Promise<boolean> {
    const { context, ledger, pool } = this.#parts;
    const size = ledger.storedBytesOf(pack);
    // An empty pack has no range to load; the close look says so.
    if (size === 0 || size > wholePackBytesMax) return false;
    if (ledger.blobBytesMaxOf(pack) > largeBlobBytesMin) return false;
    await this.#budget.take(size, context.signal);
    try {
      const bytes = await this.#loadWhole(ledger.idOf(pack), size);
      if (bytes === undefined) return false;
      const answer = await pool.verifyWhole({
        kind: "whole",
        bytes,
        id: idFromHex(ledger.idOf(pack)),
        headerDigest: ledger.digestOf(pack).slice(),
        onlyTrees,
      });
      if (answer.isSound) this.#noteRecords(answer.trees);
      return answer.isSound;
    } finally {
      this.#budget.give(size);
    }
  }

  async #loadWhole(id: string, size: number): Promise<Uint8Array | undefined> {
    const { store, signal } = this.#parts.context;
    try {
      const range = { offset: 0, length: size };
      return ownBytes(await store.load({ type: "data", name: id }, range, signal));
    } catch (error) {
      // The close look says what the matter is.
      describeLoss(error);
      return undefined;
    }
  }

  async #lookAt(pack: number, onlyTrees: boolean): Promise<CloseLook> {
    const { context, ledger, pool } = this.#parts;
    const listing = await this.#listings.find(pack);
    return await lookClosely(
      { context, ledger, pool, budget: this.#budget },
      pack,
      listing,
      onlyTrees,
    );
  }

  #noteTrees(look: CloseLook): void {
    for (const records of look.trees) this.#noteRecords(records);
  }

  #noteRecords(records: Uint32Array): void {
    for (const record of readRecords(records)) this.#parts.onTree(record);
  }

  #judge({ pack, isSuspicious }: PlannedPack, look: CloseLook, isRepeated: boolean): void {
    const { context, ledger, bad, packProblems } = this.#parts;
    const object = { type: "pack", id: ledger.idOf(pack) } as const;
    for (const { id, isTree } of look.badBlobs) {
      const entry = ledger.table.find(id, 0, isTree);
      if (entry >= 0) bad.addBlob(pack, entry);
    }
    if (look.tooLarge.length > 0) {
      const texts = look.tooLarge.map(({ id, length, plainLength }) => {
        const bytes = Math.max(length, plainLength);
        return `blob ${idToHex(id)} has ${bytes} bytes, so it was not looked at`;
      });
      context.problems.add("blob-too-large", object, texts);
    }
    if (isSuspicious) {
      const [kind, detail] = this.#suspicion(pack);
      packProblems.set(pack, context.problems.add(kind, object, [detail, ...look.details]));
    } else if (!isSound(look))
      packProblems.set(pack, context.problems.add("pack-damaged", object, look.details));
    else if (isRepeated && look.tooLarge.length === 0)
      context.problems.add("pack-unstable", object, ["read wrong at first, right the second time"]);
  }

  /** What the lists have shown to be wrong with the pack. */
  #suspicion(pack: number): [CheckProblemKind, string] {
    const { ledger } = this.#parts;
    if (ledger.isSplit(pack)) return ["pack-split", "index files list different blobs for it"];
    if (ledger.isOddlyLaidOut(pack))
      return ["pack-layout", "the index lists its blobs with gaps or overlaps"];
    const [stored, listed] = [ledger.storedBytesOf(pack), ledger.listedBytesOf(pack)];
    return ["pack-size", `it has ${stored} bytes; by the index it should have ${listed}`];
  }
}

function isSound(look: CloseLook): boolean {
  return look.details.length === 0;
}
