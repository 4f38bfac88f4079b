/** When index files are written, and that no stored pack is forgotten whatever fails. */
import { describe, expect, it } from "vitest";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { FaultyStore } from "../../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { Handle, ObjectStore } from "../../../storage/object-store.ts";
import { craftedSealer, craftPack } from "../../../test/repository/crafted-packs.ts";
import { idFromHex } from "../id.ts";
import { decodeIndex, type IndexedPack } from "./index-file.ts";
import { fetchIndexFile } from "./index-loader.ts";
import { IndexWriter } from "./index-writer.ts";

const { signal } = new AbortController();
const sealer = craftedSealer();
const minuteMs = 60_000;

const made = new Map<number, IndexedPack & { readonly hex: string }>();

/** Always the same pack for a number. */
function packOf(number: number): IndexedPack & { readonly hex: string } {
  const known = made.get(number);
  if (known !== undefined) return known;
  const plain = new TextEncoder().encode(`pack ${number}`);
  const { id, header } = craftPack(sealer, [{ plain }]);
  const pack = { id: idFromHex(id), header, hex: id };
  made.set(number, pack);
  return pack;
}

/** Hex ids of the packs in each index file. */
async function indexed(store: ObjectStore): Promise<string[][]> {
  const files: string[][] = [];
  for await (const { name } of store.list("index", signal)) {
    const json = await fetchIndexFile({ store, sealer, cache: undefined }, name, signal);
    files.push([...decodeIndex(json ?? new Uint8Array(0), name)].map(({ id }) => id));
  }
  return files;
}

describe("the index writer", () => {
  it("writes nothing if nothing was noted, and one file at the end", async () => {
    const store = new MemoryStore();
    const writer = new IndexWriter(store, sealer, 2);
    await writer.flush(signal);
    expect(await indexed(store)).toEqual([]);
    const packs = [1, 2, 3].map(packOf);
    for (const pack of packs) await writer.add(pack, 1, 0, signal);
    expect(await indexed(store)).toEqual([]);
    await writer.flush(signal);
    await writer.flush(signal);
    expect(await indexed(store)).toEqual([packs.map(({ hex }) => hex)]);
    expect(writer.written).toHaveLength(1);
    expect(writer.packsWritten).toBe(3);
    expect(writer.bytesWritten).toBe(
      await store.stat({ type: "index", name: writer.written[0] }, signal),
    );
  });

  it("writes a file when it is full, and when a pack has waited ten minutes", async () => {
    const store = new MemoryStore();
    const writer = new IndexWriter(store, sealer, 2);
    const packs = [1, 2, 3, 4, 5].map(packOf);
    await writer.add(packs[0], 49_999, 0, signal);
    expect(await indexed(store)).toEqual([]);
    await writer.add(packs[1], 1, 0, signal);
    expect(await indexed(store)).toEqual([[packs[0].hex, packs[1].hex]]);
    await writer.add(packs[2], 1, 5 * minuteMs, signal);
    await writer.add(packs[3], 1, 15 * minuteMs - 1, signal);
    expect(await indexed(store)).toHaveLength(1);
    await writer.add(packs[4], 1, 15 * minuteMs, signal);
    expect((await indexed(store))[1]).toEqual(packs.slice(2).map(({ hex }) => hex));
  });

  it("keeps noted what it could not store, and stores it with the next file", async () => {
    for (const fault of ["before", "after"] as const) {
      const store = new MemoryStore();
      const faulty = new FaultyStore(store, { fault, failAt: 1, methods: ["save"] });
      const writer = new IndexWriter(faulty, sealer, 2);
      const packs = [1, 2, 3].map(packOf);
      await writer.add(packs[0], 1, 0, signal);
      await expect(writer.add(packs[1], 50_000, 0, signal)).rejects.toMatchObject({
        code: "STORE_UNAVAILABLE",
      });
      expect(writer.packsWritten).toBe(0);
      await writer.add(packs[2], 1, 0, signal);
      await writer.flush(signal);
      const files = await indexed(store);
      expect(files.at(-1)).toEqual(packs.map(({ hex }) => hex));
      expect(writer.written).toHaveLength(1);
      expect(writer.packsWritten).toBe(3);
    }
  });

  it("writes nothing if the lock is lost, and keeps the packs noted", async () => {
    const store = new MemoryStore();
    let isHeld = false;
    const writer = new IndexWriter(store, sealer, 2, async () => {
      if (!isHeld) throw new BackstayError("LOCK_LOST");
    });
    await writer.add(packOf(1), 1, 0, signal);
    await expect(writer.flush(signal)).rejects.toMatchObject({ code: "LOCK_LOST" });
    expect(await indexed(store)).toEqual([]);
    isHeld = true;
    await writer.flush(signal);
    expect(await indexed(store)).toEqual([[packOf(1).hex]]);
  });

  it("does not say that all is stored while another call is still storing it", async () => {
    class SlowStore extends MemoryStore {
      readonly gate = Promise.withResolvers<void>();
      override async save(handle: Handle, data: Uint8Array, aborting: AbortSignal): Promise<void> {
        await this.gate.promise;
        await super.save(handle, data, aborting);
      }
    }
    const store = new SlowStore();
    const writer = new IndexWriter(store, sealer, 2);
    const adding = writer.add(packOf(1), 50_000, 0, signal);
    let isFlushed = false;
    const flushing = writer.flush(signal).then(() => {
      isFlushed = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isFlushed).toBe(false);
    store.gate.resolve();
    await Promise.all([adding, flushing]);
    expect(await indexed(store)).toEqual([[packOf(1).hex]]);
  });

  it("stores what another call failed to store, when both ran at the same time", async () => {
    const store = new MemoryStore();
    const faulty = new FaultyStore(store, { fault: "before", failAt: 1, methods: ["save"] });
    const writer = new IndexWriter(faulty, sealer, 2);
    const outcomes = await Promise.allSettled([
      writer.add(packOf(1), 50_000, 0, signal),
      writer.add(packOf(2), 50_000, 0, signal),
      writer.flush(signal),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
    expect((await indexed(store)).flat().sort()).toEqual([packOf(1).hex, packOf(2).hex].sort());
  });
});
