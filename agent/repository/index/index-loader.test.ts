/** Loading the index: from files, from the cached table, from damage, and while others change it. */
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { BackstayError } from "../../../protocol/backstay-error.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ByteRange, Handle } from "../../../storage/object-store.ts";
import {
  type CraftedPack,
  craftedSealer,
  craftPack,
  hashOf,
  hexOf,
} from "../../../test/repository/crafted-packs.ts";
import { indexJson } from "../../../test/repository/index-json.ts";
import { MetadataCache } from "../cache/metadata-cache.ts";
import { idFromHex } from "../id.ts";
import { decodeHeader } from "../pack/pack-header.ts";
import { encodeUnpacked } from "../unpacked-file.ts";
import { BlobTable } from "./blob-table.ts";
import { loadIndex, saveTable } from "./index-loader.ts";
import { PackNumbers } from "./pack-numbers.ts";

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

const packWith = (...contents: string[]): CraftedPack =>
  craftPack(
    sealer,
    contents.map((content) => ({ plain: text(content), isTree: content.startsWith("tree") })),
  );

async function saveIndex(store: MemoryStore, json: Uint8Array): Promise<string> {
  const stored = encodeUnpacked(sealer, json, 2);
  const name = hexOf(hashOf(stored));
  await store.save({ type: "index", name }, stored, signal);
  return name;
}

const indexOf = (...packs: CraftedPack[]): Uint8Array =>
  indexJson(packs.map(({ id, header }) => ({ id: idFromHex(id), header })));

/** Every blob of these packs is found where its pack has it. */
function expectHolds(table: BlobTable, packs: readonly CraftedPack[]): void {
  for (const { id, header } of packs)
    for (const blob of decodeHeader(header, id)) {
      const entry = table.find(blob.id, 0, blob.isTree);
      expect(entry).toBeGreaterThanOrEqual(0);
      expect(table.packId(table.packOf(entry))).toBe(id);
      expect(table.offsetOf(entry)).toBe(blob.offset);
      expect(table.storedLengthOf(entry)).toBe(blob.length);
    }
}

const packs = [1, 2, 3, 4, 5, 6].map((i) => packWith(`data ${i}`, `tree ${i}`, `more ${i}`));
let root: string;
let cache: MetadataCache;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "backstay-index-"));
  const opened = await MetadataCache.open(root, "ab".repeat(32));
  if (opened === undefined) throw new Error("no cache");
  cache = opened;
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

describe("loading the index", () => {
  it("merges all files, also those that list a pack or a blob again", async () => {
    const store = new MemoryStore();
    const again = packWith("data 1", "tree 9");
    const names = [
      await saveIndex(store, indexOf(...packs.slice(0, 3))),
      await saveIndex(store, indexOf(...packs.slice(2))),
      await saveIndex(store, indexOf(again)),
      await saveIndex(store, text('{"supersedes":[],"packs":[]}')),
    ];
    const { table, files, isWhole } = await loadIndex({ store, sealer, cache: undefined }, signal);
    expectHolds(table, packs);
    expect(table.find(hashOf(text("tree 9")), 0, true)).toBeGreaterThanOrEqual(0);
    expect(table.count).toBe(packs.length * 3 + 1);
    expect(table.packCount).toBe(packs.length + 1);
    expect([...files].sort()).toEqual(names.sort());
    expect(isWhole).toBe(true);
  });

  it("gives an empty table for a repository without index", async () => {
    const { table, files } = await loadIndex({ store: new MemoryStore(), sealer, cache }, signal);
    expect([table.count, files]).toEqual([0, []]);
  });

  it("takes the cached table, and loads only what is new", async () => {
    const store = new CountingStore();
    await saveIndex(store, indexOf(packs[0], packs[1]));
    await saveIndex(store, indexOf(packs[2]));
    expectHolds((await loadIndex({ store, sealer, cache }, signal)).table, packs.slice(0, 3));
    expect(store.loads).toBe(2);
    const second = await loadIndex({ store, sealer, cache }, signal);
    expect(store.loads).toBe(2);
    expectHolds(second.table, packs.slice(0, 3));
    expect(second.table.count).toBe(9);
    await saveIndex(store, indexOf(packs[3]));
    expectHolds((await loadIndex({ store, sealer, cache }, signal)).table, packs.slice(0, 4));
    expect(store.loads).toBe(3);
    await loadIndex({ store, sealer, cache }, signal);
    expect(store.loads).toBe(3);
  });

  it("forgets the cached table when a file it was made of is gone", async () => {
    const store = new CountingStore();
    const old = await saveIndex(store, indexOf(packs[0], packs[1]));
    await loadIndex({ store, sealer, cache }, signal);
    await saveIndex(store, indexOf(packs[1]));
    await store.remove({ type: "index", name: old }, signal);
    const { table } = await loadIndex({ store, sealer, cache }, signal);
    expectHolds(table, [packs[1]]);
    expect(table.find(hashOf(text("data 1")), 0, false)).toBe(-1);
  });

  it("never counts as stored what was only claimed or is in no index file", async () => {
    const store = new CountingStore();
    await saveIndex(store, indexOf(packs[0]));
    const { table, files } = await loadIndex({ store, sealer, cache }, signal);
    table.claim(hashOf(text("claimed")), 0, false);
    for (let i = 0; i < 45_000; i += 1) table.claim(hashOf(text(`${i}`)), 0, i % 2 === 0);
    await saveTable(cache, { table, files });
    const next = await loadIndex({ store, sealer, cache }, signal);
    expect(store.loads).toBe(1);
    expect(next.table.count).toBe(3);
    expect(next.table.find(hashOf(text("claimed")), 0, false)).toBe(-1);
  });

  it("comes to the same table whatever happened to the cached one", async () => {
    const store = new MemoryStore();
    await saveIndex(store, indexOf(...packs));
    await loadIndex({ store, sealer, cache }, signal);
    const file = cache.pathOf("table", "blobs");
    const whole = await readFile(file);
    const spoils: (() => Promise<unknown>)[] = [
      () => writeFile(file, ""),
      () => truncate(file, 19),
      () => truncate(file, whole.length - 1),
      () => writeFile(file, Buffer.concat([whole, Buffer.of(0)])),
      () => writeFile(file, Buffer.alloc(whole.length)),
      () => rm(file),
      () => rm(file).then(() => mkdir(file)),
    ];
    for (let at = 0; at < whole.length; at += at < 80 ? 1 : 37)
      spoils.unshift(async () => {
        const flipped = Buffer.from(whole);
        flipped[at] ^= 0x81;
        await writeFile(file, flipped);
      });
    for (const spoil of spoils) {
      await writeFile(file, whole);
      await spoil();
      const { table } = await loadIndex({ store, sealer, cache }, signal);
      expectHolds(table, packs);
      expect(table.count).toBe(18);
    }
  });

  it("rejects on a damaged file, or goes on without it when asked, and then caches nothing", async () => {
    const store = new MemoryStore();
    await saveIndex(store, indexOf(packs[0]));
    const bad = [
      await saveIndex(store, text("no JSON")),
      await saveIndex(store, text(`{"packs":[{"id":"${packs[1].id}","blobs":[{}]}]}`)),
    ];
    const misnamed = "cd".repeat(32);
    await store.save(
      { type: "index", name: misnamed },
      encodeUnpacked(sealer, indexOf(), 2),
      signal,
    );
    const [empty, garbage] = ["ef".repeat(32), "01".repeat(32)];
    await store.save({ type: "index", name: empty }, new Uint8Array(0), signal);
    await store.save({ type: "index", name: garbage }, new Uint8Array(500), signal);
    await expect(loadIndex({ store, sealer, cache }, signal)).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
    expect(await cache.load("table", "blobs")).toBeUndefined();
    const told: BackstayError[] = [];
    const loaded = await loadIndex({ store, sealer, cache }, signal, (error) => told.push(error));
    expect(loaded.isWhole).toBe(false);
    expectHolds(loaded.table, [packs[0]]);
    expect(told.map(({ context }) => `${context["file"]}`).sort()).toEqual(
      [...bad, misnamed, empty, garbage].map((name) => `index/${name}`).sort(),
    );
    expect(await cache.load("table", "blobs")).toBeUndefined();
  });

  it("passes over files that vanish meanwhile, and over nothing else that fails", async () => {
    const store = new MemoryStore();
    await saveIndex(store, indexOf(packs[0]));
    const gone = await saveIndex(store, indexOf(packs[1]));
    const load = store.load.bind(store);
    store.load = async (handle, range, aborting) => {
      await store.remove({ type: "index", name: gone }, signal);
      return await load(handle, range, aborting);
    };
    const { files } = await loadIndex({ store, sealer, cache: undefined }, signal);
    expect(files).not.toContain(gone);
    expect(files).toHaveLength(1);
    store.load = async () => {
      throw new Error("anything");
    };
    await expect(
      loadIndex({ store, sealer, cache: undefined }, signal, () => undefined),
    ).rejects.toThrow("anything");
  });

  it("loads no file that is larger than any index file, and reserves memory only within reason", async () => {
    const store = new CountingStore();
    const name = await saveIndex(store, indexOf(packs[0]));
    const list = store.list.bind(store);
    store.list = async function* (type, aborting) {
      yield* list(type, aborting);
      for (let i = 0; i < 9; i += 1)
        yield { name: i.toString(16).padStart(64, "0"), size: 2 ** 50 };
    };
    const told: BackstayError[] = [];
    const source = { store, sealer, cache: undefined };
    const { files } = await loadIndex(source, signal, (error) => told.push(error));
    expect(files).toEqual([name]);
    expect(told).toHaveLength(9);
    expect(store.loads).toBe(1);
  });

  it("fetches few files ahead of the one it decodes, and stops when aborted", async () => {
    const store = new MemoryStore();
    for (let i = 0; i < 30; i += 1) await saveIndex(store, indexOf(packWith(`only ${i}`)));
    let running = 0;
    let most = 0;
    let count = 0;
    const aborting = new AbortController();
    const load = store.load.bind(store);
    store.load = async (handle, range, given) => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 2));
      running -= 1;
      count += 1;
      if (count === 15) aborting.abort();
      return await load(handle, range, given);
    };
    const source = { store, sealer, cache: undefined };
    await expect(loadIndex(source, aborting.signal)).rejects.toMatchObject({ name: "AbortError" });
    expect(most).toBe(4);
    expect(count).toBeLessThan(20);
  });
});

describe("numbers of packs", () => {
  it("are the same for the same id, and found among many that look alike", () => {
    const table = BlobTable.create(1);
    const first = new Uint8Array(32).fill(7);
    table.addPack(first);
    const numbers = new PackNumbers(table);
    expect(numbers.find(first)).toBe(0);
    const id = new Uint8Array(40);
    const view = new DataView(id.buffer);
    for (let i = 0; i < 5000; i += 1) {
      view.setUint32(30, i);
      expect(numbers.find(id, 8)).toBe(-1);
      expect(numbers.findOrAdd(id, 8)).toBe(i + 1);
      if (i % 7 === 0) expect(numbers.findOrAdd(id, 8)).toBe(i + 1);
    }
    for (let i = 0; i < 5000; i += 97) {
      view.setUint32(30, i);
      expect(new PackNumbers(table).find(id, 8)).toBe(i + 1);
    }
    expect(table.packCount).toBe(5001);
  });
});
