/** A session that stores packs, index and snapshot under a lock, with each of its calls failing once. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyStore } from "../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { assertWhole } from "../../test/backup/whole-repository.ts";
import { hashOf } from "../../test/repository/crafted-packs.ts";
import { craftNode } from "../../test/repository/crafted-snapshot.ts";
import { IndexWriter } from "./index/index-writer.ts";
import { PackAssembler, packBufferBytesFor } from "./pack/pack-assembler.ts";
import { decodeHeader } from "./pack/pack-header.ts";
import { Repository } from "./repository.ts";
import { snapshotTime } from "./snapshot/snapshot.ts";
import { encodeSnapshot } from "./snapshot/snapshot-codec.ts";
import { ByteWriter } from "./tree/byte-writer.ts";
import { encodeTree } from "./tree/tree-encoder.ts";

const { signal } = new AbortController();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const password = text("x");
const scrypt = { N: 16, r: 1, p: 1 };
let cacheRoot: string;

beforeEach(async () => {
  cacheRoot = await mkdtemp(path.join(tmpdir(), "backstay-session-"));
});
afterEach(async () => {
  await rm(cacheRoot, { recursive: true, force: true });
});

interface Session {
  readonly repository: Repository;
  readonly index: IndexWriter;
}

/** Stores a pack of the blobs that the repository does not have. */
async function storePack(
  { repository, index }: Session,
  blobs: readonly Uint8Array[],
  isTree: boolean,
): Promise<void> {
  const table = repository.blobs;
  const wanted = blobs.filter((plain) => table.claim(hashOf(plain), 0, isTree));
  if (wanted.length === 0) return;
  const assembler = new PackAssembler(repository.masterKey, "auto");
  const room = wanted.reduce((sum, { length }) => sum + packBufferBytesFor(length), 0);
  const buffer = new Uint8Array(room);
  assembler.begin(buffer);
  for (const plain of wanted) assembler.add(plain, 0, plain.length, hashOf(plain), 0, isTree);
  const pack = assembler.finish();
  const name = Buffer.from(pack.id).toString("hex");
  await repository.store.save({ type: "data", name }, buffer.subarray(0, pack.length), signal);
  const number = table.addPack(pack.id);
  for (const blob of decodeHeader(pack.header, name))
    table.setLocation(blob.id, 0, blob.isTree, { pack: number, ...blob });
  await index.add(pack, pack.blobs, 0, signal);
}

/** Backs up files of these contents, as a session does: lock, index, packs, index, lock, snapshot. */
async function backUp(store: ObjectStore, contents: readonly string[], cache?: string) {
  const repository = await Repository.open(store, { password, signal, cacheRoot: cache });
  const lock = await repository.beginLock({ exclusive: false, waitMs: 0, signal });
  try {
    await repository.loadIndex(signal);
    const index = new IndexWriter(store, repository.sealer, repository.version, async (writing) =>
      lock.assertHeld(writing),
    );
    const session = { repository, index };
    const nodes = contents.map((content, i) =>
      craftNode({
        name: `file${i}`,
        type: "file",
        size: content.length,
        content: hashOf(text(content)),
      }),
    );
    const tree = encodeTree(new ByteWriter(1024), nodes);
    for (const content of contents) await storePack(session, [text(content)], false);
    await storePack(session, [tree], true);
    await index.flush(signal);
    await lock.assertHeld(signal);
    const json = encodeSnapshot({
      time: snapshotTime(1_700_000_000, 0),
      tree: hashOf(tree),
      paths: ["/x"],
      hostname: "h",
      username: "u",
      uid: 0,
      gid: 0,
      excludes: [],
      tags: [],
      programVersion: "test",
    });
    await repository.saveSnapshot(json, signal);
    await repository.noteIndexFiles(index);
    return index;
  } finally {
    await lock.release();
  }
}

const openAnew = (store: ObjectStore) => Repository.open(store, { password, signal });

describe("a session", () => {
  it("leaves a whole repository whichever call fails, and the next one completes", async () => {
    const first = ["one", "two", "three"];
    const second = [...first, "four", "five"];
    for (const fault of ["before", "after"] as const)
      for (let failAt = 1; ; failAt += 1) {
        const store = new MemoryStore();
        await Repository.init(store, { password, signal, scrypt });
        await backUp(store, first);
        const faulty = new FaultyStore(store, { fault, failAt });
        const cache = failAt % 2 === 0 ? path.join(cacheRoot, `${fault}${failAt}`) : undefined;
        const outcome = await backUp(faulty, second, cache).catch((error: unknown) => error);
        if (faulty.struck === 0) break;
        const story = `${fault} at ${failAt}`;
        if (!(outcome instanceof IndexWriter))
          expect(outcome, story).toMatchObject({ code: "STORE_UNAVAILABLE" });
        const facts = await assertWhole(await openAnew(store), { readsData: true });
        expect(facts.snapshots.length, story).toBeGreaterThanOrEqual(
          outcome instanceof IndexWriter ? 2 : 1,
        );
        await backUp(store, second, cache);
        const after = await assertWhole(await openAnew(store), { readsData: true });
        expect(after.snapshots.length, story).toBe(facts.snapshots.length + 1);
      }
  });

  it("is not sent again by the next one, as far as its packs were indexed", async () => {
    const store = new MemoryStore();
    await Repository.init(store, { password, signal, scrypt });
    for (const cache of [undefined, cacheRoot, cacheRoot]) {
      await backUp(store, ["one", "two"], cache);
      const facts = await assertWhole(await openAnew(store));
      expect(facts).toMatchObject({ packs: 3, orphans: 0, locks: 0 });
    }
  });

  it("caches its table only if an index file names every pack in it", async () => {
    const store = new MemoryStore();
    await Repository.init(store, { password, signal, scrypt });
    const repository = await Repository.open(store, { password, signal, cacheRoot });
    await repository.loadIndex(signal);
    const index = new IndexWriter(store, repository.sealer, 2);
    const session = { repository, index };
    await storePack(session, [text("indexed")], false);
    await index.flush(signal);
    await storePack(session, [text("not indexed")], false);
    await repository.noteIndexFiles(index);
    expect(await repository.cache?.load("table", "blobs")).toBeUndefined();
    // The session dies here. The next one must store again what no index file names.
    await backUp(store, ["indexed", "not indexed"], cacheRoot);
    const facts = await assertWhole(await openAnew(store), { readsData: true });
    expect(facts).toMatchObject({ packs: 4, orphans: 1 });
    const next = await Repository.open(store, { password, signal, cacheRoot });
    await next.loadIndex(signal);
    expect(await next.cache?.load("table", "blobs")).toBeDefined();
  });

  it("writes neither index nor snapshot if its lock vanished", async () => {
    const store = new MemoryStore();
    await Repository.init(store, { password, signal, scrypt });
    const save = store.save.bind(store);
    store.save = async (handle, data, given) => {
      await save(handle, data, given);
      // Somebody removes the lock as stale and prunes packs that no index names.
      if (handle.type !== "data") return;
      for await (const { name } of store.list("locks", signal))
        await store.remove({ type: "locks", name }, signal);
      await store.remove(handle, signal);
    };
    await expect(backUp(store, ["one"])).rejects.toMatchObject({ code: "LOCK_LOST" });
    store.save = save;
    const facts = await assertWhole(await openAnew(store));
    expect(facts).toMatchObject({ snapshots: [], packs: 0, orphans: 0 });
    await backUp(store, ["one"]);
    await assertWhole(await openAnew(store), { readsData: true });
  });
});
