/** Further places of blobs: all that index files list, read once, whatever else is in them. */
import { describe, expect, it } from "vitest";
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
import { idFromHex } from "../id.ts";
import { encodeUnpacked } from "../unpacked-file.ts";
import { BlobCopies } from "./blob-copies.ts";
import { loadIndex } from "./index-loader.ts";

const { signal } = new AbortController();
const sealer = craftedSealer();
const bytesOf = (value: string): Uint8Array => new TextEncoder().encode(value);

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
    contents.map((content) => ({ plain: bytesOf(content), isTree: content.startsWith("tree") })),
  );

/** A store with one index file for each list of packs. */
async function storeOf(...files: (readonly CraftedPack[])[]): Promise<CountingStore> {
  const store = new CountingStore();
  for (const packs of files) {
    const listed = packs.map(({ id, header }) => ({ id: idFromHex(id), header }));
    const stored = encodeUnpacked(sealer, indexJson(listed), 2);
    await store.save({ type: "index", name: hexOf(hashOf(stored)) }, stored, signal);
  }
  return store;
}

async function copiesOf(store: CountingStore) {
  const source = { store, sealer, cache: undefined };
  const { table } = await loadIndex(source, signal);
  const copies = new BlobCopies(source, table);
  store.loads = 0;
  const find = async (content: string, aborting = signal) =>
    await copies.find(hashOf(bytesOf(content)), 0, content.startsWith("tree"), aborting);
  const first = (content: string) => {
    const entry = table.find(hashOf(bytesOf(content)), 0, content.startsWith("tree"));
    return table.packId(table.packOf(entry));
  };
  return { find, first };
}

describe("further places of a blob", () => {
  it("are all that the table does not have, in whatever file they are listed", async () => {
    const packs = [
      packWith("data", "tree"),
      packWith("other", "data"),
      packWith("tree", "x", "data"),
    ];
    const store = await storeOf([packs[0]], [packs[1], packs[2]], [packs[2], packs[0]]);
    const { find, first } = await copiesOf(store);
    for (const [content, count] of [
      ["data", 3],
      ["tree", 2],
      ["other", 1],
      ["unknown", 0],
    ] as const) {
      const found = (await find(content)).map(({ pack }) => pack);
      const all = packs.filter((_, i) =>
        [
          ["data", "tree"],
          ["other", "data"],
          ["tree", "x", "data"],
        ][i].includes(content),
      );
      const expected = all.map(({ id }) => id).filter((id) => id !== first(content));
      expect(found.toSorted()).toEqual(expected.toSorted());
      expect(found.length).toBe(Math.max(0, count - 1));
    }
    expect(store.loads).toBe(3);
  });

  it("say where in the pack the blob lies", async () => {
    const [one, two] = [packWith("data"), packWith("before", "data")];
    const { find, first } = await copiesOf(await storeOf([one, two]));
    const [place] = await find("data");
    const offset = first("data") === one.id ? 6 + 32 : 0;
    const pack = first("data") === one.id ? two.id : one.id;
    expect(place).toEqual({ pack, offset, length: 4 + 32, plainLength: 0 });
  });

  it("are few for a blob that is listed a thousand times", async () => {
    const packs = Array.from({ length: 1000 }, (_, i) => packWith(`own ${i}`, "data"));
    const { find } = await copiesOf(await storeOf(packs));
    const found = await find("data");
    expect(new Set(found.map(({ pack }) => pack)).size).toBe(3);
    expect(await find("own 500")).toEqual([]);
  });

  it("are found beside an index file that is damaged", async () => {
    const [one, two, three] = [packWith("data"), packWith("b", "data"), packWith("data", "c")];
    const store = await storeOf([one], [two], [three]);
    const { find } = await copiesOf(store);
    const names: string[] = [];
    for await (const { name } of store.list("index", signal)) names.push(name);
    const handle = { type: "index", name: names[1] } as const;
    await store.remove(handle, signal);
    await store.save(handle, new Uint8Array(100), signal);
    expect([1, 2]).toContain((await find("data")).length);
  });

  it("are looked for by another when whoever began gave up", async () => {
    const packs = [packWith("data"), packWith("b", "data")];
    const store = await storeOf(packs);
    const { find } = await copiesOf(store);
    const load = store.load.bind(store);
    store.load = async (handle, range, given) => {
      await new Promise((resolve) => setImmediate(resolve));
      given.throwIfAborted();
      return await load(handle, range, given);
    };
    const aborting = new AbortController();
    const reason = new Error("enough");
    const first = find("data", aborting.signal);
    const second = find("data");
    aborting.abort(reason);
    await expect(first).rejects.toBe(reason);
    expect(await second).toHaveLength(1);
    expect(await find("data")).toHaveLength(1);
  });
});
