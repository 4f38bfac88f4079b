/**
 * What must be true of a repository at any moment, whoever was killed: every index file decodes and tells the truth
 * about stored packs, every pack in an index is whole, and every snapshot has all its trees and blobs.
 */
import { createHash } from "node:crypto";
import { decodeIndex } from "../../agent/repository/index/index-file.ts";
import { fetchIndexFile } from "../../agent/repository/index/index-loader.ts";
import { readPackHeader } from "../../agent/repository/pack/pack-reader.ts";
import type { Repository } from "../../agent/repository/repository.ts";
import { listSnapshots } from "../../agent/repository/snapshot/snapshot-finder.ts";
import { decodeTree } from "../../agent/repository/tree/tree-decoder.ts";
import type { FileType, ObjectStore } from "../../storage/object-store.ts";

const never = new AbortController().signal;

export interface RepositoryFacts {
  /** Hex ids of snapshots, oldest first. */
  readonly snapshots: readonly string[];
  readonly packs: number;
  /** Packs that no index names. */
  readonly orphans: number;
  readonly locks: number;
  /** Bytes of all packs. */
  readonly packBytes: number;
}

export interface WholeOptions {
  /** Decodes every blob of every snapshot too. */
  readonly readsData?: boolean;
}

/** Throws if anything is not as it must be. `repository` is one that was just opened, without cache. */
export async function assertWhole(
  repository: Repository,
  options: WholeOptions = {},
): Promise<RepositoryFacts> {
  const { store } = repository;
  const snapshots = await listSnapshots(repository, never);
  const packs = await sizesOf(store, "data");
  const indexed = await assertIndexes(repository, packs);
  await repository.loadIndex(never);
  const seen = new Set<string>();
  for (const { snapshot } of snapshots)
    await assertTree(repository, snapshot.tree, seen, options.readsData === true);
  return {
    snapshots: snapshots.map(({ id }) => id),
    packs: packs.size,
    orphans: [...packs.keys()].filter((name) => !indexed.has(name)).length,
    locks: (await sizesOf(store, "locks")).size,
    packBytes: [...packs.values()].reduce((sum, size) => sum + size, 0),
  };
}

async function assertIndexes(
  repository: Repository,
  packs: ReadonlyMap<string, number>,
): Promise<ReadonlySet<string>> {
  const { store, sealer } = repository;
  const indexed = new Set<string>();
  for (const name of (await sizesOf(store, "index")).keys()) {
    const json = await fetchIndexFile(repository, name, never);
    if (json === undefined) throw new Error(`index ${name} is gone`);
    for (const { id, blobs } of decodeIndex(json, name)) {
      const size = packs.get(id);
      if (size === undefined)
        throw new Error(`index ${name} names pack ${id}, which is not stored`);
      if (indexed.has(id)) continue;
      indexed.add(id);
      const bytes = await store.load({ type: "data", name: id }, undefined, never);
      const hash = createHash("sha256").update(bytes).digest("hex");
      if (hash !== id) throw new Error(`pack ${id} is damaged`);
      const header = await readPackHeader(store, sealer, id, size, never);
      const held = new Set(header.blobs.map((blob) => JSON.stringify(blob)));
      if (!blobs.every((blob) => held.has(JSON.stringify(blob))))
        throw new Error(`index ${name} lies about pack ${id}`);
    }
  }
  return indexed;
}

async function assertTree(
  repository: Repository,
  tree: Uint8Array,
  seen: Set<string>,
  readsData: boolean,
): Promise<void> {
  const waiting = [tree];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const name = Buffer.from(id).toString("hex");
    if (seen.has(name)) continue;
    seen.add(name);
    for (const node of decodeTree(await repository.loadTree(id, never))) {
      if (node.subtree !== null) waiting.push(node.subtree.slice());
      if (node.content === null) continue;
      const size = await contentSize(repository, node.content, readsData);
      if (size !== node.size)
        throw new Error(
          `${Buffer.from(node.name).toString()}: node says ${node.size}, stored are ${size}`,
        );
    }
  }
}

async function contentSize(
  repository: Repository,
  ids: Uint8Array,
  readsData: boolean,
): Promise<number> {
  let size = 0;
  for (let at = 0; at < ids.length; at += 32) {
    const entry = repository.blobs.find(ids, at, false);
    if (entry < 0)
      throw new Error(`blob ${Buffer.from(ids.subarray(at, at + 32)).toString("hex")}`);
    size += repository.blobs.plainLengthOf(entry);
    if (readsData) await repository.loadBlob(ids, never, at);
  }
  return size;
}

async function sizesOf(store: ObjectStore, type: FileType): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for await (const { name, size } of store.list(type, never)) sizes.set(name, size);
  return sizes;
}
