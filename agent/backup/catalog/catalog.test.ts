import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { newMemoryFolder } from "../../../test/memory-folder.ts";
import { CatalogReader } from "./catalog-reader.ts";
import { CatalogWriter } from "./catalog-writer.ts";

interface Entry {
  readonly name: Uint8Array;
  readonly record: Uint8Array;
  readonly ids: Uint8Array;
  readonly child: number;
  readonly flags: number;
}

interface Block {
  readonly tree: Uint8Array;
  readonly entries: readonly Entry[];
}

let folder = "";
let file = "";
const snapshot = new Uint8Array(32).fill(7);

beforeEach(() => {
  folder = newMemoryFolder("catalog-");
  file = path.join(folder, "x.catalog");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(blocks: readonly Block[], topBlock?: number): number[] {
  const writer = new CatalogWriter(file);
  const offsets = blocks.map((block) => writeBlock(writer, block));
  expect(writer.finish(topBlock ?? offsets.at(-1) ?? 0, snapshot)).toBe(true);
  return offsets;
}

function writeBlock(writer: CatalogWriter, { tree, entries }: Block): number {
  writer.begin();
  for (const { name, record, ids, child, flags } of entries)
    writer.add({
      record,
      recordOffset: 0,
      child,
      ids,
      idsStart: 0,
      idsEnd: ids.length,
      name,
      nameStart: 0,
      nameEnd: name.length,
      flags,
    });
  return writer.end(tree);
}

/** A block read back; undefined if the reader calls it absent. */
function readBlock(reader: CatalogReader, offset: number): Block | undefined {
  const block = reader.block(offset);
  if (block === undefined) return undefined;
  const tree = block.treeId;
  const entries: Entry[] = [];
  for (; block.hasEntry; block.next()) {
    const part = (start: number, end: number): Uint8Array =>
      Uint8Array.from(block.bytes.subarray(start, end));
    entries.push({
      name: part(block.nameStart, block.nameEnd),
      record: part(block.at, block.at + statRecordBytes),
      ids: part(block.idsStart, block.idsStart + block.idCount * 32),
      child: block.child,
      flags: block.flags,
    });
  }
  return { tree, entries };
}

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const anyEntry: fc.Arbitrary<Entry> = fc.record({
  name: fc.uint8Array({ minLength: 1, maxLength: 255 }),
  record: bytesOf(statRecordBytes),
  ids: fc.nat(5).chain((count) => bytesOf(count * 32)),
  child: fc.oneof(fc.constant(0), fc.maxSafeNat()),
  flags: fc.nat(1),
});
const anyBlock: fc.Arbitrary<Block> = fc.record({
  tree: bytesOf(32),
  entries: fc.array(anyEntry, { maxLength: 8 }),
});

describe("a catalog", () => {
  it("gives back every block that was written, and nothing where there is none", () => {
    fc.assert(
      fc.property(fc.array(anyBlock, { minLength: 1, maxLength: 6 }), (blocks) => {
        const offsets = write(blocks);
        const reader = CatalogReader.open(file);
        if (reader === undefined) throw new Error("absent");
        expect(reader.snapshotId).toEqual(snapshot);
        expect(reader.topBlock).toBe(offsets.at(-1));
        expect(offsets.map((offset) => readBlock(reader, offset))).toEqual(blocks);
        for (const wrong of [0, 7, -1, 2 ** 40, Number.NaN, (offsets[0] ?? 0) + 1])
          expect(reader.block(wrong)).toBeUndefined();
        reader.close();
      }),
      { numRuns: 60 },
    );
  });

  it("holds blocks larger than its buffer, and many of them", () => {
    const entry = (i: number): Entry => ({
      name: new Uint8Array(Buffer.from(`name ${i.toString().padStart(6, "0")}`)),
      record: new Uint8Array(statRecordBytes).fill(i),
      ids: new Uint8Array(64).fill(i),
      child: i,
      flags: i & 1,
    });
    const blocks = [30_000, 1, 0, 20_000, 5].map((count, number) => ({
      tree: new Uint8Array(32).fill(number),
      entries: Array.from({ length: count }, (_, i) => entry(i + number)),
    }));
    const offsets = write(blocks);
    const reader = CatalogReader.open(file);
    if (reader === undefined) throw new Error("absent");
    for (const [i, offset] of offsets.entries()) {
      const block = readBlock(reader, offset);
      expect(block?.entries.length).toBe(blocks[i]?.entries.length);
      expect(block?.tree).toEqual(blocks[i]?.tree);
      expect(block?.entries.at(-1)?.ids).toEqual(blocks[i]?.entries.at(-1)?.ids);
    }
    reader.close();
  });

  it("is absent, or its blocks are, wherever one bit is flipped", () => {
    const entry = (name: string): Entry => ({
      name: new Uint8Array(Buffer.from(name)),
      record: new Uint8Array(statRecordBytes).fill(3),
      ids: new Uint8Array(32).fill(9),
      child: 8,
      flags: 1,
    });
    const blocks = ["one", "two"].map((name) => ({
      tree: new Uint8Array(32).fill(name.length),
      entries: [entry(name), entry(`${name}2`)],
    }));
    const offsets = write(blocks);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 1) {
      const damaged = Buffer.from(whole);
      damaged[at] ^= 1 << (at & 7);
      writeFileSync(file, damaged);
      const reader = CatalogReader.open(file);
      if (reader === undefined) continue;
      expect(reader.snapshotId).toEqual(snapshot);
      expect(reader.topBlock).toBe(offsets[1]);
      for (const [i, offset] of offsets.entries()) {
        const block = readBlock(reader, offset);
        if (block !== undefined) expect(block).toEqual(blocks[i]);
      }
      const lost = offsets.filter((offset) => reader.block(offset) === undefined);
      expect(lost.length, `byte ${at}`).toBe(at < 8 ? 0 : 1);
      reader.close();
    }
  });

  it("is read to where a later piece of a large block is damaged, and not further", () => {
    const name = (i: number): Uint8Array => new Uint8Array(Buffer.from(`${i}`.padStart(7, "0")));
    const entries = Array.from({ length: 20_000 }, (_, i) => ({
      name: name(i),
      record: new Uint8Array(statRecordBytes).fill(i),
      ids: new Uint8Array(0),
      child: 0,
      flags: 0,
    }));
    const [offset] = write([{ tree: new Uint8Array(32).fill(5), entries }]);
    const whole = readFileSync(file);
    for (const part of [0.3, 0.6, 0.99]) {
      const damaged = Buffer.from(whole);
      damaged[Math.floor(whole.length * part)] ^= 1;
      writeFileSync(file, damaged);
      const reader = CatalogReader.open(file);
      const block = reader?.block(offset ?? 0);
      if (block === undefined) throw new Error("absent");
      let read = 0;
      for (; block.hasEntry; block.next()) {
        const start = block.nameStart;
        expect(block.bytes.toString("latin1", start, block.nameEnd)).toBe(
          `${read}`.padStart(7, "0"),
        );
        read += 1;
      }
      expect(read).toBeGreaterThan(1000);
      expect(read).toBeLessThan(20_000 * part);
      expect(block.isAtEnd).toBe(false);
      expect(block.treeId).toEqual(new Uint8Array(32).fill(5));
      reader?.close();
    }
  });

  it("holds entries longer than a piece", () => {
    const entry = (blobs: number): Entry => ({
      name: new Uint8Array([blobs & 0x7f, 1]),
      record: new Uint8Array(statRecordBytes).fill(blobs),
      ids: new Uint8Array(blobs * 32).fill(blobs),
      child: 0,
      flags: 0,
    });
    const block = {
      tree: new Uint8Array(32).fill(1),
      entries: [3, 100_000, 2, 40_000, 16_381, 1].map(entry),
    };
    const offsets = write([block, block]);
    const reader = CatalogReader.open(file);
    for (const offset of offsets) {
      const read = reader && readBlock(reader, offset);
      expect(read?.entries.length).toBe(6);
      for (const [i, { name, ids }] of (read?.entries ?? []).entries()) {
        expect(name).toEqual(block.entries[i]?.name);
        expect(Buffer.compare(ids, block.entries[i]?.ids ?? name)).toBe(0);
      }
    }
    reader?.close();
  });

  it("is absent if it was cut anywhere", () => {
    write([{ tree: new Uint8Array(32), entries: [] }]);
    const whole = readFileSync(file);
    for (let length = 0; length < whole.length; length += 1) {
      writeFileSync(file, whole.subarray(0, length));
      expect(CatalogReader.open(file)).toBeUndefined();
    }
  });

  it("replaces the one before only when it is complete, and leaves nothing if it is abandoned", () => {
    write([{ tree: new Uint8Array(32).fill(1), entries: [] }]);
    const before = readFileSync(file);
    const writer = new CatalogWriter(file);
    writeBlock(writer, { tree: new Uint8Array(32).fill(2), entries: [] });
    expect(readFileSync(file)).toEqual(before);
    expect(readdirSync(folder)).toHaveLength(2);
    writer.abandon();
    writer.abandon();
    expect(readdirSync(folder)).toEqual(["x.catalog"]);
    expect(readFileSync(file)).toEqual(before);
  });

  it("may be written by two at once: the last that is complete stands", () => {
    const [one, two] = [new CatalogWriter(file), new CatalogWriter(file)];
    const first = writeBlock(one, { tree: new Uint8Array(32).fill(1), entries: [] });
    const second = writeBlock(two, { tree: new Uint8Array(32).fill(2), entries: [] });
    expect(one.finish(first, snapshot)).toBe(true);
    expect(two.finish(second, snapshot)).toBe(true);
    const reader = CatalogReader.open(file);
    expect(reader?.block(second)?.treeId[0]).toBe(2);
    reader?.close();
    expect(readdirSync(folder)).toEqual(["x.catalog"]);
  });

  it("gives up without an error when its folder is gone or its disk full", () => {
    const writer = new CatalogWriter(file);
    rmSync(folder, { recursive: true });
    const block = { tree: new Uint8Array(32), entries: [] };
    expect(writer.finish(writeBlock(writer, block), snapshot)).toBe(false);
    expect(() => new CatalogWriter(file)).toThrow();
  });
});
