/** Loads all index files of a repository into one table. */

import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { type MetadataCache, readFully } from "../cache/metadata-cache.ts";
import { type Sealer, sha256 } from "../crypto/sealed-bytes.ts";
import { idToHex } from "../id.ts";
import { assertStoredSize, decodeUnpacked, unpackedLimits } from "../unpacked-file.ts";
import { BlobTable } from "./blob-table.ts";
import { IndexScanner } from "./index-scanner.ts";
import { PackNumbers } from "./pack-numbers.ts";
import { type CachedTable, decodeTable, encodeTable } from "./table-file.ts";

const tableName = "blobs";
const expectedBlobsMax = 16_000_000;
/** Index files fetched ahead, and their bytes unless one alone is larger. */
const aheadFilesMax = 4;
const aheadBytesMax = 48 * 1024 * 1024;

export interface IndexSource {
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly cache: MetadataCache | undefined;
}

export interface LoadedIndex {
  readonly table: BlobTable;
  /** Hex ids of the index files in the table. */
  readonly files: readonly string[];
  /** False if a damaged file was left out. */
  readonly isWhole: boolean;
}

interface IndexFileName {
  readonly name: string;
  readonly sizeBytes: number;
}

/**
 * The table of all blobs. Index files that vanish while they are loaded (another session's prune) are
 * skipped. A damaged one rejects with REPOSITORY_DAMAGED, or is told to `damaged` and left out; of what it
 * lists before its damage blobs may be in the table all the same.
 */
export async function loadIndex(
  source: IndexSource,
  signal: AbortSignal,
  damaged?: (error: BackstayError) => void,
): Promise<LoadedIndex> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of source.store.list("index", signal)) sizes.set(name, size);
  const cached = await cachedTable(source.cache, sizes);
  const missing: IndexFileName[] = [];
  for (const [name, sizeBytes] of sizes)
    if (cached?.indexFiles.has(name) !== true) missing.push({ name, sizeBytes });
  const table = cached?.table ?? BlobTable.create(estimateBlobs(sizes));
  const packs = new PackNumbers(table);
  const files = [...(cached?.indexFiles ?? [])];
  let isWhole = true;
  await fetchInOrder(source, missing, signal, async ({ name }, fetching) => {
    try {
      const stored = await fetching;
      if (stored === undefined) return;
      addIndexFile(table, packs, decodeIndexFile(source.sealer, stored, name), name);
      files.push(name);
    } catch (error) {
      if (damaged === undefined || !isBackstayError(error, "REPOSITORY_DAMAGED")) throw error;
      isWhole = false;
      damaged(error);
    }
  });
  const loaded = { table, files, isWhole };
  // A table with parts of a damaged file would go on knowing them after that file is repaired.
  if (missing.length > 0 && isWhole) await saveTable(source.cache, loaded);
  return loaded;
}

/**
 * Keeps the table in the cache. `files` must name exactly the index files whose blobs it holds: a blob that no index
 * file names would count as stored for ever.
 */
export async function saveTable(
  cache: MetadataCache | undefined,
  loaded: Pick<LoadedIndex, "table" | "files">,
): Promise<void> {
  await cache?.save("table", tableName, encodeTable(loaded.table, loaded.files));
}

/** Adds what an index file lists to a table. Blobs that are known keep their place. */
function addIndexFile(table: BlobTable, packs: PackNumbers, json: Uint8Array, name: string): void {
  const scanner = new IndexScanner(json, `index/${name}`);
  while (scanner.nextPack()) {
    const { count, ids, types, offsets, lengths, plainLengths } = scanner;
    const pack = packs.findOrAdd(scanner.packId);
    for (let i = 0; i < count; i += 1)
      table.addAt(ids, i * 32, types[i] === 1, pack, offsets[i], lengths[i], plainLengths[i]);
  }
}

function decodeIndexFile(sealer: Sealer, stored: Uint8Array, name: string): Uint8Array {
  const file = `index/${name}`;
  if (idToHex(sha256(sealer.codec, stored)) !== name)
    throw new BackstayError("REPOSITORY_DAMAGED", {
      file,
      problem: "its content is not what its name says",
    });
  return decodeUnpacked(sealer, stored, file, unpackedLimits.index);
}

/** The JSON of one index file, its name checked; undefined if it is gone. Rejects as `loadIndex`. */
export async function fetchIndexFile(
  source: IndexSource,
  name: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const sizeBytes = await source.store.stat({ type: "index", name }, signal);
  if (sizeBytes === undefined) return undefined;
  const stored = await fetchStored(source, { name, sizeBytes }, signal);
  return stored === undefined ? undefined : decodeIndexFile(source.sealer, stored, name);
}

/** The stored bytes of an index file, or undefined if it is gone. */
async function fetchStored(
  source: IndexSource,
  { name, sizeBytes }: IndexFileName,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  assertStoredSize(sizeBytes, `index/${name}`, unpackedLimits.index);
  try {
    return await source.store.load({ type: "index", name }, undefined, signal);
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Hands over one file after the other while the next ones are fetched. */
async function fetchInOrder(
  source: IndexSource,
  files: readonly IndexFileName[],
  signal: AbortSignal,
  take: (file: IndexFileName, fetching: Promise<Uint8Array | undefined>) => Promise<void>,
): Promise<void> {
  const ahead: Promise<Uint8Array | undefined>[] = [];
  let aheadBytes = 0;
  for (const [at, file] of files.entries()) {
    while (ahead.length < aheadFilesMax && at + ahead.length < files.length) {
      const next = files[at + ahead.length];
      if (ahead.length > 0 && aheadBytes + next.sizeBytes > aheadBytesMax) break;
      const fetching = fetchStored(source, next, signal);
      // If an earlier file ends everything, nobody waits for this one.
      fetching.catch(() => undefined);
      ahead.push(fetching);
      aheadBytes += next.sizeBytes;
    }
    const [fetching] = ahead.splice(0, 1);
    await take(file, fetching);
    aheadBytes -= file.sizeBytes;
    signal.throwIfAborted();
  }
}

/** The cached table, if each index file it was made of is still there. */
async function cachedTable(
  cache: MetadataCache | undefined,
  current: ReadonlyMap<string, number>,
): Promise<CachedTable | undefined> {
  const cached = await readCachedTable(cache);
  if (cached === undefined) return undefined;
  if ([...cached.indexFiles].every((name) => current.has(name))) return cached;
  await cache?.remove("table", tableName);
  return undefined;
}

async function readCachedTable(cache: MetadataCache | undefined): Promise<CachedTable | undefined> {
  const file = await cache?.openFile("table", tableName);
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const read = (bytes: Uint8Array, position: number) => readFully(file, bytes, position);
    return await decodeTable({ sizeBytes: size, read });
  } catch {
    // A folder in its place, or a bad sector: the cache is as good as empty.
    return undefined;
  } finally {
    await file.close();
  }
}

/** A stored index entry takes about 45 bytes (ids do not compress). Sizes may lie, so memory follows them only so far. */
function estimateBlobs(sizes: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const size of sizes.values()) total += size;
  return Math.min(total / 45, expectedBlobsMax);
}
