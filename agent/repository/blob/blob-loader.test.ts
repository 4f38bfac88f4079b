/** Loading blobs through memory, cache and store: right bytes whatever is damaged, and few requests. */
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ByteRange, Handle } from "../../../storage/object-store.ts";
import {
  craftedKey,
  craftedSealer,
  craftPack,
  hashOf,
  hexOf,
} from "../../../test/repository/crafted-packs.ts";
import { indexJson } from "../../../test/repository/index-json.ts";
import { MetadataCache } from "../cache/metadata-cache.ts";
import { idFromHex } from "../id.ts";
import { BlobTable } from "../index/blob-table.ts";
import { loadIndex } from "../index/index-loader.ts";
import { decodeHeader } from "../pack/pack-header.ts";
import { encodeUnpacked } from "../unpacked-file.ts";
import { BlobLoader } from "./blob-loader.ts";
import { PackMemory } from "./pack-memory.ts";

const { signal } = new AbortController();
const sealer = craftedSealer();
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

class CountingStore extends MemoryStore {
  loads = 0;
  override async load(handle: Handle, range: ByteRange | undefined, aborting: AbortSignal) {
    this.loads += 1;
    return await super.load(handle, range, aborting);
  }
}

/** A store with packs of trees, and of data where `isTree` is false. */
async function storeOf(packs: readonly (readonly string[])[], isTree = true) {
  const store = new CountingStore();
  const table = BlobTable.create(10);
  const names: string[] = [];
  for (const contents of packs) {
    const pack = craftPack(
      sealer,
      contents.map((content, i) => ({
        plain: text(content),
        isTree,
        ...(i % 2 === 0 ? { frame: zstdCompressSync(text(content)) } : {}),
      })),
    );
    await store.save({ type: "data", name: pack.id }, pack.bytes, signal);
    const number = table.addPack(idFromHex(pack.id));
    for (const blob of decodeHeader(pack.header, pack.id))
      table.add(blob.id, 0, isTree, { pack: number, ...blob });
    names.push(pack.id);
  }
  return { store, table, names };
}

const contentsOf = (pack: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `tree ${i} of pack ${pack} ${"x".repeat(i)}`);

let root: string;
let cache: MetadataCache;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "backstay-loader-"));
  const opened = await MetadataCache.open(root, "ab".repeat(32));
  if (opened === undefined) throw new Error("no cache");
  cache = opened;
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

describe("loading a blob", () => {
  it("gives right bytes with and without a cache, for trees and data", async () => {
    const contents = [contentsOf(0, 40), contentsOf(1, 3)];
    for (const isTree of [true, false])
      for (const used of [undefined, cache]) {
        const { store, table } = await storeOf(contents, isTree);
        const loader = new BlobLoader(store, used, table, sealer, craftedKey);
        for (let round = 0; round < 3; round += 1)
          for (const content of contents.flat()) {
            const loaded = await loader.load(hashOf(text(content)), 0, isTree, signal);
            expect(Buffer.from(loaded).toString()).toBe(content);
            loaded.fill(0);
          }
      }
  });

  it("fetches each tree pack once into the cache, also for many who ask at the same time", async () => {
    const contents = [0, 1, 2, 3, 4].map((pack) => contentsOf(pack, 50));
    const { store, table } = await storeOf(contents);
    const loader = new BlobLoader(store, cache, table, sealer, craftedKey);
    const all = contents.flat();
    await Promise.all(all.map((content) => loader.load(hashOf(text(content)), 0, true, signal)));
    expect(store.loads).toBe(5);
    const next = new BlobLoader(store, cache, table, sealer, craftedKey);
    for (const content of all) await next.load(hashOf(text(content)), 0, true, signal);
    expect(store.loads).toBe(5);
  });

  it("without a cache, fetches a pack whole once it is asked for often", async () => {
    const { store, table } = await storeOf([contentsOf(0, 300)]);
    const loader = new BlobLoader(store, undefined, table, sealer, craftedKey);
    for (const content of contentsOf(0, 300))
      await loader.load(hashOf(text(content)), 0, true, signal);
    expect(store.loads).toBeLessThan(40);
  });

  it("is not misled by an id array that changes while it waits", async () => {
    const { store, table } = await storeOf([["first", "second"]], false);
    const loader = new BlobLoader(store, undefined, table, sealer, craftedKey);
    const ids = new Uint8Array(40);
    ids.set(hashOf(text("first")), 8);
    const loading = loader.load(ids, 8, false, signal);
    ids.fill(0);
    expect(Buffer.from(await loading).toString()).toBe("first");
  });

  it("heals whatever happened to the cached copies", async () => {
    const contents = contentsOf(0, 40);
    const { store, table, names } = await storeOf([contents]);
    const copy = cache.pathOf("trees", names[0]);
    const whole = await store.load({ type: "data", name: names[0] }, undefined, signal);
    const spoils: (() => Promise<void>)[] = [
      () => writeFile(copy, ""),
      () => truncate(copy, 100),
      () => writeFile(copy, new Uint8Array(whole.length)),
      () => writeFile(copy, Buffer.concat([Buffer.of(1), whole])),
      () => rm(copy),
    ];
    for (let at = 0; at < whole.length; at += 97)
      spoils.push(async () => {
        const flipped = Uint8Array.from(whole);
        flipped[at] ^= 2;
        await writeFile(copy, flipped);
      });
    spoils.push(() => rm(path.dirname(copy), { recursive: true }));
    for (const spoil of spoils) {
      await cache.save("trees", names[0], whole);
      await spoil();
      const loader = new BlobLoader(store, cache, table, sealer, craftedKey);
      for (const content of contents) {
        const loaded = await loader.load(hashOf(text(content)), 0, true, signal);
        expect(Buffer.from(loaded).toString()).toBe(content);
      }
    }
  });

  it("names blob and pack of what is damaged in the store, cache or not", async () => {
    for (const used of [undefined, cache]) {
      const { store, table, names } = await storeOf([["whole", "damaged"]]);
      const handle = { type: "data", name: names[0] } as const;
      const bytes = await store.load(handle, undefined, signal);
      const entry = table.find(hashOf(text("damaged")), 0, true);
      bytes[table.offsetOf(entry) + 20] ^= 1;
      await store.remove(handle, signal);
      await store.save(handle, bytes, signal);
      const loader = new BlobLoader(store, used, table, sealer, craftedKey);
      const load = (content: string) => loader.load(hashOf(text(content)), 0, true, signal);
      for (let round = 0; round < 3; round += 1) {
        await expect(load("damaged")).rejects.toMatchObject({
          code: "REPOSITORY_DAMAGED",
          context: { blob: hexOf(hashOf(text("damaged"))), pack: names[0] },
        });
        expect(Buffer.from(await load("whole")).toString()).toBe("whole");
      }
      await store.remove(handle, signal);
      await store.save(handle, bytes.subarray(0, 50), signal);
      await expect(load("damaged")).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    }
  });

  it("says what is missing: the blob, its pack, or a place that no pack can have", async () => {
    const { store, table, names } = await storeOf([["here"], ["gone"]]);
    const ids = ["unknown", "claimed", "huge"].map((content) => hashOf(text(content)));
    table.claim(ids[1], 0, true);
    table.add(ids[2], 0, true, { pack: 0, offset: 0, length: 0xffffffff, plainLength: 0 });
    await store.remove({ type: "data", name: names[1] }, signal);
    for (const used of [undefined, cache]) {
      const loader = new BlobLoader(store, used, table, sealer, craftedKey);
      const load = (id: Uint8Array) => loader.load(id, 0, true, signal);
      await expect(load(ids[0])).rejects.toMatchObject({ code: "BLOB_MISSING" });
      await expect(load(ids[1])).rejects.toMatchObject({ code: "BLOB_MISSING" });
      await expect(load(ids[2])).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
      await expect(load(hashOf(text("gone")))).rejects.toMatchObject({ code: "STORE_NOT_FOUND" });
      // Known as a tree only.
      const asData = loader.load(hashOf(text("here")), 0, false, signal);
      await expect(asData).rejects.toMatchObject({ code: "BLOB_MISSING" });
    }
  });

  it("does not fail because another caller was aborted", async () => {
    const { store, table } = await storeOf([["one", "two"]]);
    const loader = new BlobLoader(store, cache, table, sealer, craftedKey);
    const aborting = new AbortController();
    const stat = store.stat.bind(store);
    store.stat = async (handle, given) => {
      const size = await stat(handle, given);
      await new Promise((resolve) => setTimeout(resolve, 5));
      given.throwIfAborted();
      return size;
    };
    const aborted = loader.load(hashOf(text("one")), 0, true, aborting.signal);
    const other = loader.load(hashOf(text("two")), 0, true, signal);
    aborting.abort();
    await expect(aborted).rejects.toMatchObject({ name: "AbortError" });
    expect(Buffer.from(await other).toString()).toBe("two");
  });
});

describe("a blob that two packs hold", () => {
  /** A repository of which each blob but `once` lies in two packs, and the packs by which its index finds them. */
  async function twice(isTree: boolean) {
    const store = new CountingStore();
    const contents = contentsOf(0, 20);
    const packs = [["once", ...contents], ["other", ...contents].toReversed()].map((list) =>
      craftPack(
        sealer,
        list.map((content) => ({ plain: text(content), isTree })),
      ),
    );
    for (const { id, bytes, header } of packs) {
      await store.save({ type: "data", name: id }, bytes, signal);
      const index = encodeUnpacked(sealer, indexJson([{ id: idFromHex(id), header }]), 2);
      await store.save({ type: "index", name: hexOf(hashOf(index)) }, index, signal);
    }
    const { table } = await loadIndex({ store, sealer, cache: undefined }, signal);
    const first = table.packId(table.packOf(table.find(hashOf(text(contents[0])), 0, isTree)));
    const own = first === packs[0].id ? "once" : "other";
    return { store, table, contents, first, own };
  }

  const damages: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array | undefined])[] = [
    ["is gone", () => undefined],
    ["is cut off", (bytes) => bytes.slice(0, 20)],
    ["has a flipped bit in each blob", (bytes) => bytes.map((byte) => byte ^ 1)],
  ];

  it.each(damages)(
    "comes from the second when the first %s, which is told once",
    async (_, spoil) => {
      for (const isTree of [true, false])
        for (const used of [undefined, cache]) {
          const { store, table, contents, first, own } = await twice(isTree);
          const handle = { type: "data", name: first } as const;
          const spoilt = spoil(await store.load(handle, undefined, signal));
          await store.remove(handle, signal);
          if (spoilt !== undefined) await store.save(handle, spoilt, signal);
          const told: string[] = [];
          const loader = new BlobLoader(store, used, table, sealer, craftedKey, (pack) =>
            told.push(pack),
          );
          for (let round = 0; round < 2; round += 1)
            for (const content of contents) {
              const loaded = await loader.load(hashOf(text(content)), 0, isTree, signal);
              expect(Buffer.from(loaded).toString()).toBe(content);
            }
          expect(told).toEqual([first]);
          const lost = loader.load(hashOf(text(own)), 0, isTree, signal);
          await expect(lost).rejects.toMatchObject({
            code: spoilt === undefined ? "STORE_NOT_FOUND" : "REPOSITORY_DAMAGED",
          });
          await cache.remove("trees", first);
        }
    },
  );

  it("is lost when both are damaged, and the error names the first", async () => {
    const { store, table, contents, first } = await twice(false);
    for await (const { name } of store.list("data", signal)) {
      const handle = { type: "data", name } as const;
      const bytes = await store.load(handle, undefined, signal);
      await store.remove(handle, signal);
      await store.save(
        handle,
        bytes.map((byte) => byte ^ 1),
        signal,
      );
    }
    const told: string[] = [];
    const loader = new BlobLoader(store, undefined, table, sealer, craftedKey, (pack) =>
      told.push(pack),
    );
    const lost = loader.load(hashOf(text(contents[0])), 0, false, signal);
    await expect(lost).rejects.toMatchObject({ context: { pack: first } });
    expect(told).toEqual([]);
  });

  it("is not looked for elsewhere when the store is out of reach", async () => {
    const { store, table, contents } = await twice(false);
    const loader = new BlobLoader(store, undefined, table, sealer, craftedKey);
    store.load = async () => {
      throw new BackstayError("STORE_UNAVAILABLE", {});
    };
    const loading = loader.load(hashOf(text(contents[0])), 0, false, signal);
    await expect(loading).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});

describe("packs in memory", () => {
  it("are held up to a size, those used last", () => {
    const memory = new PackMemory(100);
    for (const name of ["a", "b", "c"]) memory.put(name, new Uint8Array(40));
    expect(["a", "b", "c"].map((name) => memory.get(name)?.length)).toEqual([undefined, 40, 40]);
    memory.get("b");
    memory.put("d", new Uint8Array(40));
    expect(["b", "c", "d"].map((name) => memory.get(name)?.length)).toEqual([40, undefined, 40]);
    memory.put("huge", new Uint8Array(101));
    expect(["b", "d", "huge"].map((name) => memory.get(name)?.length)).toEqual([40, 40, undefined]);
    memory.put("b", new Uint8Array(60));
    memory.delete("d");
    memory.put("e", new Uint8Array(40));
    expect(["b", "e"].map((name) => memory.get(name)?.length)).toEqual([60, 40]);
  });

  it("are counted while they are not held, a bounded number of them", () => {
    const memory = new PackMemory(100);
    expect([1, 2, 3].map(() => memory.countUse("a"))).toEqual([1, 2, 3]);
    memory.put("a", new Uint8Array(10));
    expect(memory.countUse("a")).toBe(1);
    for (let i = 0; i < 1000; i += 1) memory.countUse(`${i}`);
    expect(memory.countUse("a")).toBe(1);
    expect(memory.countUse("999")).toBe(2);
  });
});
