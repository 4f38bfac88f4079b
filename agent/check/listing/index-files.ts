/** Reads the index files from the store: once to learn what they list, and again where damage must be traced. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { sha256 } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { IndexScanner } from "../../repository/index/index-scanner.ts";
import {
  assertStoredSize,
  decodeUnpacked,
  unpackedLimits,
} from "../../repository/unpacked-file.ts";
import type { CheckContext } from "../check-context.ts";
import { describeLoss, isGone } from "../report/lost-file.ts";
import { PackLedger } from "./pack-ledger.ts";
import { type BlobColumns, ListingMeasure } from "./pack-listing.ts";

/** Stored files that are fetched ahead, unless they are large. */
const aheadFilesMax = 4;
const aheadBytesMax = 32 * 1024 * 1024;
/** A stored index entry takes about 45 bytes. The table grows beyond the first guess. */
const entryBytes = 45;
const guessedBlobsMax = 4 * 1024 * 1024;

export interface IndexName {
  readonly name: string;
  /** Bytes stored. */
  readonly size: number;
}

/**
 * The ledger of all packs that readable index files list. Files that can't be read are reported as `index-damaged`;
 * what a file lists before its damage counts.
 */
export async function readIndex(
  context: CheckContext,
  files: readonly IndexName[],
): Promise<PackLedger> {
  const bytesTotal = files.reduce((sum, { size }) => sum + size, 0);
  const ledger = new PackLedger(
    BlobTable.create(Math.min(guessedBlobsMax, bytesTotal / entryBytes)),
  );
  const measure = new ListingMeasure();
  const digest = new Uint8Array(32);
  const { codec } = context.sealer;
  let bytesDone = 0;
  let done = 0;
  await readFiles(context, files, async ({ name, size }, fetched) => {
    const number = ledger.indexFiles.push(name) - 1;
    try {
      await scanFile(context, name, await fetched, (id, columns) => {
        const facts = measure.measure(columns);
        codec.sha256(facts.header, 0, facts.header.length, digest, 0);
        ledger.add(id, columns, facts, digest, number);
      });
    } catch (error) {
      const detail = describeLoss(error);
      if (context.isLocked || !isGone(error))
        context.problems.add("index-damaged", { type: "index", id: name }, [detail]);
    }
    bytesDone += size;
    done += 1;
    context.progress({ phase: "index", done, total: files.length, bytesDone, bytesTotal });
  });
  return ledger;
}

/** Gives each pack of each index file that can be read, again: its id, and its blobs, valid during the call. */
export async function rereadIndex(
  context: CheckContext,
  ledger: PackLedger,
  visit: (id: Uint8Array, columns: BlobColumns) => void,
): Promise<void> {
  const files = ledger.indexFiles.map((name) => ({ name, size: 0 }));
  await readFiles(context, files, async ({ name }, fetched) => {
    try {
      await scanFile(context, name, await fetched, visit);
    } catch (error) {
      // Its damage was reported when it was read for the first time; whatever else it is must be thrown.
      describeLoss(error);
    }
  });
}

/** Gives the packs of an index file that hold anything. REPOSITORY_DAMAGED where the file ends to make sense. */
async function scanFile(
  context: CheckContext,
  name: string,
  stored: Uint8Array,
  visit: (id: Uint8Array, columns: BlobColumns) => void,
): Promise<void> {
  const file = `index/${name}`;
  const json = decodeUnpacked(context.sealer, stored, file, unpackedLimits.index);
  const scanner = new IndexScanner(json, file);
  while (scanner.nextPack()) {
    if (scanner.count > 0) visit(scanner.packId, scanner);
    if (context.turns.isDue) await context.turns.give();
  }
}

/** The stored bytes of an index file, its name checked. REPOSITORY_DAMAGED if they are not what it says. */
export async function fetchIndexFile(context: CheckContext, name: string): Promise<Uint8Array> {
  const { store, sealer, signal } = context;
  const stored = await store.load({ type: "index", name }, undefined, signal);
  if (idToHex(sha256(sealer.codec, stored)) === name) return stored;
  throw new BackstayError("REPOSITORY_DAMAGED", {
    file: `index/${name}`,
    problem: "its content is not what its name says",
  });
}

/** The names of all index files that have a possible size; the others are reported. */
export async function listIndexFiles(context: CheckContext): Promise<IndexName[]> {
  const files: IndexName[] = [];
  for await (const { name, size } of context.store.list("index", context.signal)) {
    try {
      assertStoredSize(size, `index/${name}`, unpackedLimits.index);
      files.push({ name, size });
    } catch (error) {
      context.problems.add("index-damaged", { type: "index", id: name }, [describeLoss(error)]);
    }
  }
  return files;
}

/** Hands over one stored file after the other while the next ones are fetched. */
async function readFiles(
  context: CheckContext,
  files: readonly IndexName[],
  take: (file: IndexName, fetched: Promise<Uint8Array>) => Promise<void>,
): Promise<void> {
  const ahead: Promise<Uint8Array>[] = [];
  let aheadBytes = 0;
  for (const [at, file] of files.entries()) {
    while (ahead.length < aheadFilesMax && at + ahead.length < files.length) {
      const next = files[at + ahead.length];
      if (ahead.length > 0 && aheadBytes + next.size > aheadBytesMax) break;
      const fetched = fetchIndexFile(context, next.name);
      // If an earlier file ends everything, nobody waits for this one.
      fetched.catch(() => undefined);
      ahead.push(fetched);
      aheadBytes += next.size;
    }
    const [fetched] = ahead.splice(0, 1);
    await take(file, fetched);
    aheadBytes -= file.size;
  }
}
