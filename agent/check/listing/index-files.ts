/** Reads the index files from the store: once to learn what they list, and again where damage must be traced. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { sha256 } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { decodeIndex, type ListedPack } from "../../repository/index/index-file.ts";
import { decodeUnpacked } from "../../repository/unpacked-file.ts";
import type { CheckContext } from "../check-context.ts";
import { describeLoss, isGone } from "../report/lost-file.ts";
import { PackLedger } from "./pack-ledger.ts";
import { arrangeListing } from "./pack-listing.ts";

/** Stored bytes of an index file that is read: restic keeps them below 8 MiB, ours are smaller. */
const indexBytesMax = 64 * 1024 * 1024;
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
  let bytesDone = 0;
  let done = 0;
  await readFiles(context, files, async ({ name, size }, fetched) => {
    const number = ledger.indexFiles.push(name) - 1;
    try {
      const json = decodeUnpacked(context.sealer, await fetched, `index/${name}`);
      for (const pack of decodeIndex(json, `index/${name}`)) {
        addPack(context, ledger, pack, number);
        if (context.turns.isDue) await context.turns.give();
      }
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

/** Gives each pack of each index file that can be read, again. `file` is the number of the file in the ledger. */
export async function rereadIndex(
  context: CheckContext,
  ledger: PackLedger,
  visit: (pack: ListedPack, file: number) => void,
): Promise<void> {
  const files = ledger.indexFiles.map((name) => ({ name, size: 0 }));
  let number = -1;
  await readFiles(context, files, async ({ name }, fetched) => {
    number += 1;
    try {
      const json = decodeUnpacked(context.sealer, await fetched, `index/${name}`);
      for (const pack of decodeIndex(json, `index/${name}`)) {
        visit(pack, number);
        if (context.turns.isDue) await context.turns.give();
      }
    } catch (error) {
      // Its damage was reported when it was read for the first time; whatever else it is must be thrown.
      describeLoss(error);
    }
  });
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

function addPack(
  context: CheckContext,
  ledger: PackLedger,
  { id, blobs }: ListedPack,
  file: number,
): void {
  if (blobs.length === 0) return;
  const listing = arrangeListing(blobs);
  ledger.add(id, listing, sha256(context.sealer.codec, listing.header), file);
}

/** The names of all index files that are small enough to be read; the others are reported. */
export async function listIndexFiles(context: CheckContext): Promise<IndexName[]> {
  const files: IndexName[] = [];
  for await (const { name, size } of context.store.list("index", context.signal)) {
    if (size <= indexBytesMax) files.push({ name, size });
    else
      context.problems.add("index-damaged", { type: "index", id: name }, [
        `it has ${size} bytes, more than an index file can have`,
      ]);
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
