import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { newMemoryFolder } from "../../../test/memory-folder.ts";
import { FileJournalReader, FileJournalWriter } from "./file-journal.ts";
import { type JournalEntry, journalFlags } from "./file-journal-format.ts";

/** An entry as a test writes and reads it. */
interface Noted {
  readonly name: string;
  readonly record: number;
  readonly start: number;
  readonly size: number;
  readonly flags: number;
  readonly ids: readonly number[];
}

interface Batch {
  readonly folder: string;
  readonly entries: readonly Noted[];
}

let folder = "";
let file = "";

beforeEach(() => {
  folder = newMemoryFolder("journal-");
  file = path.join(folder, "x.files");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));

function entryOf(noted: Noted): JournalEntry {
  const ids = Uint8Array.from(noted.ids.flatMap((id) => new Array<number>(32).fill(id)));
  return {
    name: latin1(noted.name),
    record: new Uint8Array(statRecordBytes).fill(noted.record),
    recordOffset: 0,
    start: noted.start,
    size: noted.size,
    flags: noted.flags,
    ids,
    idsStart: 0,
    idCount: noted.ids.length,
  };
}

function notedOf(entry: JournalEntry): Noted {
  const ids: number[] = [];
  for (let i = 0; i < entry.idCount; i += 1) {
    const id = entry.ids.subarray(entry.idsStart + i * 32, entry.idsStart + i * 32 + 32);
    expect(new Set(id).size).toBe(1);
    ids.push(id[0]);
  }
  return {
    name: Buffer.from(entry.name).toString("latin1"),
    record: entry.record[entry.recordOffset],
    start: entry.start,
    size: entry.size,
    flags: entry.flags,
    ids,
  };
}

/** Appends as a run does that goes on after the one before. */
function append(batches: readonly Batch[]): void {
  const before = FileJournalReader.open(file);
  const writer = new FileJournalWriter(file, before?.validBytes ?? 0);
  before?.close();
  for (const batch of batches) writer.add(latin1(batch.folder), batch.entries.map(entryOf));
  writer.close();
}

function entriesIn(reader: FileJournalReader, place: string, name: string): Noted[] {
  return [...reader.directory(latin1(place)).entriesOf(latin1(name))].map(notedOf);
}

/** What is read back of all that `batches` noted, the newest first. */
function expectHolds(batches: readonly Batch[]): void {
  const reader = FileJournalReader.open(file);
  const names = new Set(
    batches.flatMap((batch) => batch.entries.map(({ name }) => `${batch.folder}\0${name}`)),
  );
  if (names.size === 0 || reader === undefined) {
    expect(names.size).toBe(0);
    reader?.close();
    return;
  }
  for (const key of names) {
    const [place, name] = key.split("\0") as [string, string];
    const wanted = batches
      .filter((batch) => batch.folder === place)
      .flatMap((batch) => batch.entries.filter((entry) => entry.name === name));
    expect(entriesIn(reader, place, name)).toEqual(wanted.reverse());
  }
  reader.close();
}

const byte = fc.nat(255);
const anyName = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 4 })
  .map((codes) => String.fromCharCode(...codes));
const anyEntry: fc.Arbitrary<Noted> = fc.record({
  name: anyName,
  record: byte,
  start: fc.constantFrom(0, 134_217_728),
  size: fc.maxSafeNat(),
  flags: fc.constantFrom(0, journalFlags.attributes, journalFlags.range),
  ids: fc.array(byte, { maxLength: 3 }),
});
const anyBatches = fc.array(
  fc.record({ folder: fc.constantFrom("/a", "/b", "/\xff"), entries: fc.array(anyEntry) }),
  { maxLength: 5 },
);

describe("the journal of files", () => {
  it("gives back what one run or several have noted", () => {
    fc.assert(
      fc.property(fc.array(anyBatches, { minLength: 1, maxLength: 3 }), (runs) => {
        rmSync(file, { force: true });
        for (const batches of runs) append(batches);
        expectHolds(runs.flat());
      }),
      { numRuns: 60 },
    );
  });

  it("knows nothing of other folders and names", () => {
    append([{ folder: "/a", entries: [noted("x")] }]);
    const reader = FileJournalReader.open(file);
    if (reader === undefined) throw new Error("absent");
    expect(entriesIn(reader, "/a", "y")).toEqual([]);
    expect(entriesIn(reader, "/b", "x")).toEqual([]);
    expect(entriesIn(reader, "/a", "x")).toHaveLength(1);
    reader.close();
  });

  it("is absent without a file, with an empty or a foreign one", () => {
    expect(FileJournalReader.open(file)).toBeUndefined();
    writeFileSync(file, "");
    expect(FileJournalReader.open(file)).toBeUndefined();
    writeFileSync(file, "something that is no journal at all, and long enough to have a head");
    expect(FileJournalReader.open(file)).toBeUndefined();
  });

  it("keeps all records before a cut, and is gone on with there", () => {
    const batches = ["/a", "/b", "/c"].map((place) => ({ folder: place, entries: [noted("x")] }));
    append(batches);
    const whole = readFileSync(file);
    const recordBytes = whole.length / 3;
    const more = [{ folder: "/d", entries: [noted("later")] }];
    for (let length = 0; length < whole.length; length += 5) {
      writeFileSync(file, whole.subarray(0, length));
      const kept = batches.slice(0, Math.floor(length / recordBytes));
      expectHolds(kept);
      append(more);
      expectHolds([...kept, ...more]);
    }
  });

  it("ends at a flipped bit, and goes on before it", () => {
    const batches = ["/a", "/b", "/c"].map((place) => ({ folder: place, entries: [noted("x")] }));
    append(batches);
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += 5) {
      const damaged = Buffer.from(whole);
      damaged[at] ^= 1 << (at & 7);
      writeFileSync(file, damaged);
      const kept = batches.slice(0, Math.floor(at / (whole.length / 3)));
      expectHolds(kept);
      append([{ folder: "/d", entries: [noted("later")] }]);
      expectHolds([...kept, { folder: "/d", entries: [noted("later")] }]);
    }
  });

  it("holds what was flushed when the process dies, whatever is appended to it then", () => {
    const writer = new FileJournalWriter(file, 0);
    writer.add(latin1("/a"), [entryOf(noted("x"))]);
    writer.flush();
    expectHolds([{ folder: "/a", entries: [noted("x")] }]);
    appendFileSync(file, Buffer.alloc(100));
    expectHolds([{ folder: "/a", entries: [noted("x")] }]);
    truncateSync(file, 3);
    expectHolds([]);
    writer.close();
  });

  it("finds the names of a large directory whose records it does not hold, in any order", () => {
    const batches = Array.from({ length: 300 }, (_, batch) => ({
      folder: "/a",
      entries: Array.from({ length: 50 }, (_, i) => ({
        ...noted(`file ${i * 300 + batch}`),
        record: batch & 0xff,
        ids: [i],
      })),
    }));
    append(batches);
    append([{ folder: "/a", entries: [{ ...noted("file 7"), record: 255 }] }]);
    const reader = FileJournalReader.open(file);
    const directory = reader?.directory(latin1("/a"));
    if (reader === undefined || directory === undefined) throw new Error("absent");
    for (let number = 0; number < 15_000; number += 1) {
      const found = [...directory.entriesOf(latin1(`file ${number}`))].map(notedOf);
      expect(found.map(({ record }) => record)).toEqual(
        number === 7 ? [255, 7] : [(number % 300) & 0xff],
      );
      expect(found.at(-1)?.ids).toEqual([Math.floor(number / 300)]);
    }
    expect([...directory.entriesOf(latin1("file 15000"))]).toEqual([]);
    reader.close();
  });

  it("takes paths longer than 64 KiB and batches larger than its buffer", () => {
    const place = `/${"long name/".repeat(20_000)}`;
    const many = Array.from({ length: 5000 }, (_, i) => noted(`f${i}`));
    append([{ folder: place, entries: many }]);
    const reader = FileJournalReader.open(file);
    if (reader === undefined) throw new Error("absent");
    const directory = reader.directory(latin1(place));
    for (const entry of many)
      expect([...directory.entriesOf(latin1(entry.name))].map(notedOf)).toEqual([entry]);
    reader.close();
  });
});

function noted(name: string): Noted {
  return { name, record: 5, start: 0, size: 10, flags: 0, ids: [1, 2] };
}
