/** Loads all index files of a repository into one table. */
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import type { MetadataCache } from "../cache/metadata-cache.ts";
import { type Sealer, sha256 } from "../crypto/sealed-bytes.ts";
import { idFromHex, idToHex } from "../id.ts";
import { decodeUnpacked } from "../unpacked-file.ts";
import { BlobTable } from "./blob-table.ts";
import { decodeIndex, type ListedPack } from "./index-file.ts";
import { decodeTable, encodeTable } from "./table-file.ts";

const tableName = "blobs";
const expectedBlobsMax = 16_000_000;
/** Index files fetched at once. */
const fetchesMax = 4;

export interface IndexSource {
  readonly store: ObjectStore;
  readonly sealer: Sealer;
  readonly cache: MetadataCache | undefined;
}

export interface LoadedIndex {
  readonly table: BlobTable;
  /** Hex ids of the index files in the table. */
  readonly files: readonly string[];
}

/**
 * The table of all blobs. Index files that vanish while they are loaded (another session's prune) are
 * skipped; a damaged one rejects with REPOSITORY_DAMAGED.
 */
export async function loadIndex(source: IndexSource, signal: AbortSignal): Promise<LoadedIndex> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of source.store.list("index", signal)) sizes.set(name, size);
  const cached = await cachedTable(source.cache, sizes);
  const missing = [...sizes.keys()].filter((name) => cached?.indexFiles.has(name) !== true);
  const table = cached?.table ?? BlobTable.create(estimateBlobs(sizes));
  const files = new Set(cached?.indexFiles ?? []);
  const packs = new Map<string, number>();
  for (let i = 0; i < table.packCount; i += 1) packs.set(table.packId(i), i);
  for (let first = 0; first < missing.length; first += fetchesMax) {
    const names = missing.slice(first, first + fetchesMax);
    const fetched = names.map((name) => fetchIndexFile(source, name, signal));
    for (const [i, json] of (await Promise.all(fetched)).entries()) {
      if (json === undefined) continue;
      for (const pack of decodeIndex(json, `index/${names[i]}`)) addListedPack(table, packs, pack);
      files.add(names[i]);
    }
    signal.throwIfAborted();
  }
  const loaded = { table, files: [...files] };
  if (missing.length > 0) await saveTable(source.cache, loaded);
  return loaded;
}

/** Keeps the table in the cache; `files` must name exactly the index files whose blobs it holds. */
export async function saveTable(
  cache: MetadataCache | undefined,
  loaded: LoadedIndex,
): Promise<void> {
  await cache?.save("table", tableName, encodeTable(loaded.table, loaded.files));
}

/** The JSON of one index file, its name checked; undefined if it is gone. */
export async function fetchIndexFile(
  source: IndexSource,
  name: string,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  try {
    const stored = await source.store.load({ type: "index", name }, undefined, signal);
    if (idToHex(sha256(source.sealer.codec, stored)) !== name)
      throw new BackstayError("REPOSITORY_DAMAGED", {
        file: `index/${name}`,
        problem: "its content is not what its name says",
      });
    return decodeUnpacked(source.sealer, stored, `index/${name}`);
  } catch (error) {
    if (isBackstayError(error, "STORE_NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Adds a pack's blobs to a table; `packs` maps the hex ids of packs to their numbers. */
export function addListedPack(
  table: BlobTable,
  packs: Map<string, number>,
  pack: ListedPack,
): void {
  let number = packs.get(pack.id);
  if (number === undefined) {
    number = table.addPack(idFromHex(pack.id));
    packs.set(pack.id, number);
  }
  for (const blob of pack.blobs)
    table.add(blob.id, 0, blob.isTree, {
      pack: number,
      offset: blob.offset,
      length: blob.length,
      plainLength: blob.plainLength,
    });
}

/** The cached table, if each index file it was made of is still there. */
async function cachedTable(
  cache: MetadataCache | undefined,
  current: ReadonlyMap<string, number>,
): Promise<{ table: BlobTable; indexFiles: ReadonlySet<string> } | undefined> {
  const file = await cache?.load("table", tableName);
  if (file === undefined) return undefined;
  const cached = decodeTable(file);
  const isCurrent = cached !== undefined && [...cached.indexFiles].every((n) => current.has(n));
  if (isCurrent) return cached;
  await cache?.remove("table", tableName);
  return undefined;
}

/** A stored index entry takes about 45 bytes (ids do not compress). Sizes may lie, so memory follows them only so far. */
function estimateBlobs(sizes: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const size of sizes.values()) total += size;
  return Math.min(total / 45, expectedBlobsMax);
}
