import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FaultyStore } from "../../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../../storage/object-store.ts";
import { newMemoryFolder } from "../../../test/memory-folder.ts";
import { craftedKey } from "../../../test/repository/crafted-packs.ts";
import { Sealer, sha256 } from "../../repository/crypto/sealed-bytes.ts";
import { idToHex } from "../../repository/id.ts";
import { BlobTable } from "../../repository/index/blob-table.ts";
import { IndexWriter } from "../../repository/index/index-writer.ts";
import { PackAssembler, packBufferBytes } from "../../repository/pack/pack-assembler.ts";
import { locatePack } from "../upload/pack-uploader.ts";
import { PackJournal, type RecoveredPacks, recoverPacks } from "./pack-journal.ts";

const { signal } = new AbortController();
const sealer = new Sealer(craftedKey);
let folder = "";
let file = "";
let store: MemoryStore;

beforeEach(() => {
  folder = newMemoryFolder("journal-");
  file = path.join(folder, "x.packs");
  store = new MemoryStore();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface StoredPack {
  readonly id: Uint8Array;
  readonly blob: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A pack of one blob. */
function packOf(content: string): StoredPack {
  const plain = new TextEncoder().encode(content);
  const blob = sha256(sealer.codec, plain);
  const assembler = new PackAssembler(craftedKey, "auto");
  const buffer = new Uint8Array(packBufferBytes);
  assembler.begin(buffer);
  assembler.add(plain, 0, plain.length, blob, 0, false);
  const { id, length } = assembler.finish();
  return { id, blob, bytes: buffer.slice(0, length) };
}

async function save(pack: StoredPack): Promise<void> {
  await store.save({ type: "data", name: idToHex(pack.id) }, pack.bytes, signal);
}

async function recover(
  from: ObjectStore = store,
): Promise<RecoveredPacks & { table: BlobTable; index: IndexWriter }> {
  const table = BlobTable.create(10);
  const index = new IndexWriter(from, sealer, 2);
  const found = await recoverPacks(file, { store: from, sealer, table, index }, locatePack, signal);
  return { ...found, table, index };
}

describe("the journal of packs", () => {
  it("names what was announced, across runs, and repairs an id that was cut short", () => {
    const ids = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
    const first = new PackJournal(file);
    first.announce(ids[0]);
    first.close();
    appendFileSync(file, new Uint8Array(31));
    const second = new PackJournal(file);
    second.announce(ids[1]);
    second.announce(ids[2]);
    second.close();
    expect(readFileSync(file)).toEqual(Buffer.concat(ids));
  });

  it("has packs taken in that are stored, and forgets those that never arrived", async () => {
    const [stored, lost] = [packOf("stored"), packOf("lost")];
    const journal = new PackJournal(file);
    for (const { id } of [stored, lost, stored]) journal.announce(id);
    journal.close();
    await save(stored);
    const { packs, blobs, table, index } = await recover();
    expect({ packs, blobs }).toEqual({ packs: 1, blobs: 1 });
    expect(table.packOf(table.find(stored.blob, 0, false))).toBeGreaterThanOrEqual(0);
    expect(table.find(lost.blob, 0, false)).toBe(-1);
    await index.flush(signal);
    expect(index.written).toHaveLength(1);
  });

  it("passes over packs that an index names already", async () => {
    const pack = packOf("known");
    const journal = new PackJournal(file);
    journal.announce(pack.id);
    journal.close();
    await save(pack);
    const table = BlobTable.create(10);
    table.addPack(pack.id);
    const index = new IndexWriter(store, sealer, 2);
    const parts = { store, sealer, table, index };
    expect(await recoverPacks(file, parts, locatePack, signal)).toEqual({ packs: 0, blobs: 0 });
  });

  it("passes over packs that are damaged, and over a journal that is none", async () => {
    const pack = packOf("damaged");
    const journal = new PackJournal(file);
    journal.announce(pack.id);
    journal.close();
    for (const bytes of [
      pack.bytes.slice(0, -1),
      new Uint8Array(3),
      pack.bytes.map((b) => b ^ 1),
    ]) {
      store = new MemoryStore();
      await save({ ...pack, bytes });
      expect((await recover()).packs).toBe(0);
    }
    await save(packOf("sound"));
    writeFileSync(file, "something else");
    expect((await recover()).packs).toBe(0);
    rmSync(file);
    expect((await recover()).packs).toBe(0);
  });

  it("fails if the store does not answer, and passes over what it can't read any more", async () => {
    const pack = packOf("x");
    const journal = new PackJournal(file);
    journal.announce(pack.id);
    journal.close();
    await save(pack);
    for (const method of ["stat", "load"] as const) {
      const gone = new FaultyStore(store, { fault: "before", failAt: 1, methods: [method] });
      await expect(recover(gone)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    }
    for (const code of ["STORE_BROKEN", "STORE_NOT_FOUND", "STORE_RANGE"] as const) {
      const broken = new FaultyStore(store, {
        fault: "before",
        failAt: 1,
        methods: ["load"],
        code,
      });
      expect((await recover(broken)).packs).toBe(0);
    }
  });
});
