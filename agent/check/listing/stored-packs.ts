/** Compares the packs that are stored with those that the index lists. */
import type { CheckContext } from "../check-context.ts";
import { HintCounter, type OpenProblem } from "../report/problem-list.ts";
import type { PackLedger } from "./pack-ledger.ts";

/** What comparing the list of packs with the index found. */
export interface StoredPacks {
  /** By number: the problems of packs that are not there. */
  readonly missing: ReadonlyMap<number, OpenProblem | undefined>;
  /** Numbers of stored packs that are not as listed: their blobs must be looked at one by one. */
  readonly suspicious: ReadonlySet<number>;
}

/**
 * Notes the stored size of each pack in the ledger. Reports packs that are missing, and gives hints of
 * packs that no index lists or that are listed in an odd but harmless way.
 */
export async function compareStoredPacks(
  context: CheckContext,
  ledger: PackLedger,
): Promise<StoredPacks> {
  const orphans = new HintCounter();
  let done = 0;
  let bytesDone = 0;
  for await (const { name, size } of context.store.list("data", context.signal)) {
    const pack = ledger.find(name);
    if (pack < 0) orphans.add(name, size);
    else ledger.noteStored(pack, size);
    done += 1;
    bytesDone += size;
    if (context.turns.isDue) {
      context.progress({ phase: "packs", done, total: ledger.count, bytesDone, bytesTotal: 0 });
      await context.turns.give();
    }
  }
  const stored = sortOut(context, ledger);
  context.problems.addHint("orphaned-packs", orphans);
  context.progress({ phase: "packs", done, total: ledger.count, bytesDone, bytesTotal: 0 });
  return stored;
}

function sortOut(context: CheckContext, ledger: PackLedger): StoredPacks {
  const missing = new Map<number, OpenProblem | undefined>();
  const suspicious = new Set<number>();
  const mixed = new HintCounter();
  const twice = new HintCounter();
  for (let pack = 0; pack < ledger.count; pack += 1) {
    const size = ledger.storedBytesOf(pack);
    const id = (): string => ledger.idOf(pack);
    if (size < 0)
      missing.set(pack, context.problems.add("pack-missing", { type: "pack", id: id() }));
    else if (ledger.isSplit(pack) || ledger.isOddlyLaidOut(pack)) suspicious.add(pack);
    else if (size !== ledger.listedBytesOf(pack)) suspicious.add(pack);
    if (ledger.hasTrees(pack) && ledger.hasData(pack)) mixed.add(id(), Math.max(0, size));
    if (ledger.isTwice(pack)) twice.add(id(), 0);
  }
  context.problems.addHint("mixed-packs", mixed);
  context.problems.addHint("packs-indexed-twice", twice);
  return { missing, suspicious };
}
