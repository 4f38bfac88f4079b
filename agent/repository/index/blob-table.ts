/**
 * Where each blob lies: one compact table in shared memory, used by all threads without copies.
 *
 * T1. A blob is known by its id and whether it is a tree: a file may have the bytes of a tree.
 * T2. An entry is complete before its slot shows it; slots are claimed by compare-and-exchange. So any
 *     thread may look up and insert at any time without a lock.
 * T3. Entries never move and never go away. When a level is full the next, larger one is opened; look-ups
 *     go through all levels. Two threads may rarely add one blob to two levels: a duplicate, no damage.
 * T4. Slots are chosen by a keyed hash of the whole id, so that a hostile index cannot make them collide.
 *
 * An entry takes 48 bytes and at most 13 of slots. What is not used yet is reserved, not taken.
 */
import { randomFillSync } from "node:crypto";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import {
  type BlobLevel,
  claimSlot,
  entriesOf,
  entryBytes,
  entryWords,
  findInLevel,
  openBlobLevel,
  treeFlag,
  wordAt,
} from "./blob-level.ts";
import { keyedHash } from "./keyed-hash.ts";

const levelsMax = 16;
/** Slots of the last level: together with the levels before it about 330 million blobs. */
const slotsMax = 2 ** 28;
/** Entries that `storedEntries` gives at once: about a megabyte. */
const runEntriesMax = 21_000;
/** Pack word of an entry whose pack is not stored yet. */
const noPack = 0x7ffffffe;
const packMask = 0x7fffffff;
/** Pack word of an entry that a lost race left without a blob. No pack has the number 2^31-1. */
const unused = 0xffffffff;
const control = { levels: 0, packs: 1, seed: 2, counts: 4 } as const;
const packsMax = 1 << 26;

/** What another thread needs to use the same table. */
export interface SharedBlobTable {
  readonly control: SharedArrayBuffer;
  readonly levels: readonly { slots: SharedArrayBuffer; entries: SharedArrayBuffer }[];
  readonly packs: SharedArrayBuffer;
  readonly slotsMin: number;
}

/** Location of a blob in a pack. */
export interface BlobLocation {
  readonly pack: number;
  readonly offset: number;
  /** Sealed bytes. */
  readonly length: number;
  /** Bytes before compression; 0 if stored plain. */
  readonly plainLength: number;
}

export class BlobTable {
  readonly shared: SharedBlobTable;
  readonly #control: Int32Array;
  /** Number of the first entry of each level. */
  readonly #bases: Float64Array;
  readonly #levels: BlobLevel[] = [];
  readonly #idWords = new Int32Array(8);
  readonly #idBytes = new Uint8Array(this.#idWords.buffer);
  readonly #keyLow: number;
  readonly #keyHigh: number;

  private constructor(shared: SharedBlobTable) {
    this.shared = shared;
    this.#control = new Int32Array(shared.control);
    const first = entriesOf(shared.slotsMin);
    this.#bases = Float64Array.from({ length: levelsMax + 1 }, (_, i) => first * (2 ** i - 1));
    this.#keyLow = this.#control[control.seed];
    this.#keyHigh = this.#control[control.seed + 1];
  }

  /** A new table with room for `expected` blobs in its first level; it grows beyond that. */
  static create(expected: number): BlobTable {
    const wanted = 2 ** Math.max(16, Math.ceil(Math.log2(Math.max(1, expected) * 1.6)));
    const slotsMin = Math.min(wanted, slotsMax);
    const levelCount = Math.min(levelsMax, Math.log2(slotsMax / slotsMin) + 1);
    const levels = Array.from({ length: levelCount }, (_, level) => {
      const slots = slotsOf(slotsMin, level);
      return {
        slots: new SharedArrayBuffer(0, { maxByteLength: slots * 4 }),
        entries: new SharedArrayBuffer(0, { maxByteLength: entriesOf(slots) * entryWords * 4 }),
      };
    });
    const shared: SharedBlobTable = {
      control: new SharedArrayBuffer((control.counts + levelsMax) * 4),
      levels,
      packs: new SharedArrayBuffer(0, { maxByteLength: packsMax * 32 }),
      slotsMin,
    };
    randomFillSync(new Uint8Array(shared.control, control.seed * 4, 8));
    const table = new BlobTable(shared);
    table.#openLevel(0);
    return table;
  }

  /** The table of another thread. */
  static attach(shared: SharedBlobTable): BlobTable {
    return new BlobTable(shared);
  }

  /** Number of entries, duplicates of T3 included. */
  get count(): number {
    let count = 0;
    for (let level = 0; level < this.#levelCount(); level += 1) count += this.#countIn(level);
    return count;
  }

  /** Bytes of memory that entries and slots take; pages of what is reserved beyond are not taken. */
  get usedBytes(): number {
    let slots = 0;
    for (let level = 0; level < this.#levelCount(); level += 1)
      slots += slotsOf(this.shared.slotsMin, level);
    return slots * 4 + this.count * entryWords * 4 + this.packCount * 32;
  }

  /** Entry of the blob whose id stands at `ids[offset]`, or -1. */
  find(ids: Uint8Array, offset: number, isTree: boolean): number {
    const words = this.#words(ids, offset);
    return this.#find(words, keyedHash(words, this.#keyLow, this.#keyHigh), isTree);
  }

  /**
   * Adds a blob that no pack holds yet, unless it is known. True if this call added it: then the caller
   * must store it. Of several threads exactly one is told so (but see T3).
   */
  claim(ids: Uint8Array, offset: number, isTree: boolean): boolean {
    return this.addAt(ids, offset, isTree, noPack, 0, 0, 0);
  }

  /** Adds a blob with its location; false if the blob is already known (its first location stays). */
  add(ids: Uint8Array, offset: number, isTree: boolean, at: BlobLocation): boolean {
    return this.addAt(ids, offset, isTree, at.pack, at.offset, at.length, at.plainLength);
  }

  /** The same without an object for the location. */
  addAt(
    ids: Uint8Array,
    offset: number,
    isTree: boolean,
    pack: number,
    packOffset: number,
    length: number,
    plainLength: number,
  ): boolean {
    const words = this.#words(ids, offset);
    const hash = keyedHash(words, this.#keyLow, this.#keyHigh);
    if (this.#find(words, hash, isTree) >= 0) return false;
    return this.#insert(words, hash, isTree, pack, packOffset, length, plainLength);
  }

  /**
   * Adds entries as `storedEntries` gives them. For a table that nobody else uses yet and that does not
   * hold them: they are not looked for.
   */
  addEntries(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at < bytes.length; at += entryBytes) {
      const words = this.#words(bytes, at);
      const hash = keyedHash(words, this.#keyLow, this.#keyHigh);
      const pack = view.getUint32(at + wordAt.pack * 4, true);
      this.#insert(
        words,
        hash,
        pack >= treeFlag,
        pack & packMask,
        view.getUint32(at + wordAt.offset * 4, true),
        view.getUint32(at + wordAt.length * 4, true),
        view.getUint32(at + wordAt.plainLength * 4, true),
      );
    }
  }

  /**
   * Tells where a claimed blob was stored; unknown blobs are added. Called by one thread only. A location that is known
   * stays: other threads may be reading it.
   */
  setLocation(ids: Uint8Array, offset: number, isTree: boolean, at: BlobLocation): void {
    const entry = this.find(ids, offset, isTree);
    if (entry < 0) {
      this.add(ids, offset, isTree, at);
      return;
    }
    if (this.packOf(entry) >= 0) return;
    const number = this.#levelOf(entry);
    const { entries } = this.#level(number);
    const word = (entry - this.#base(number)) * entryWords;
    entries[word + wordAt.offset] = at.offset;
    entries[word + wordAt.length] = at.length;
    entries[word + wordAt.plainLength] = at.plainLength;
    // Last, and visible after the others: whoever sees the pack sees where in it.
    Atomics.store(entries, word + wordAt.pack, (isTree ? treeFlag : 0) + at.pack);
  }

  /** Registers a pack by its 32-byte id; returns its number. Called by one thread only. */
  addPack(id: Uint8Array): number {
    const number = Atomics.add(this.#control, control.packs, 1);
    if (number >= packsMax) throw new BackstayError("INTERNAL", { problem: "too many packs" });
    const buffer = this.shared.packs;
    const needed = (number + 1) * 32;
    if (buffer.byteLength < needed)
      buffer.grow(Math.min(buffer.maxByteLength, Math.max(needed * 2, 65536)));
    new Uint8Array(buffer, number * 32, 32).set(id);
    return number;
  }

  get packCount(): number {
    return Atomics.load(this.#control, control.packs);
  }

  /** Id of a pack in hex. */
  packId(number: number): string {
    const bytes = new Uint8Array(this.shared.packs, number * 32, 32);
    return Buffer.from(bytes).toString("hex");
  }

  /** Copies the 32 bytes of a pack's id to `out`. */
  copyPackId(number: number, out: Uint8Array, outOffset: number): void {
    out.set(new Uint8Array(this.shared.packs, number * 32, 32), outOffset);
  }

  /** Number of the pack that holds the blob, or -1 if its pack is not stored yet. */
  packOf(entry: number): number {
    const level = this.#levelOf(entry);
    const word = (entry - this.#base(level)) * entryWords + wordAt.pack;
    const pack = Atomics.load(this.#level(level).entries, word) & packMask;
    return pack === noPack ? -1 : pack;
  }

  isTree(entry: number): boolean {
    return this.#word(entry, wordAt.pack) >= treeFlag;
  }

  offsetOf(entry: number): number {
    return this.#word(entry, wordAt.offset);
  }

  /** Sealed bytes in the pack. */
  storedLengthOf(entry: number): number {
    return this.#word(entry, wordAt.length);
  }

  /** Bytes of the blob itself. */
  plainLengthOf(entry: number): number {
    const plain = this.#word(entry, wordAt.plainLength);
    return plain === 0 ? this.#word(entry, wordAt.length) - 32 : plain;
  }

  isCompressed(entry: number): boolean {
    return this.#word(entry, wordAt.plainLength) !== 0;
  }

  /** Copies the blob's id to `out`. */
  copyId(entry: number, out: Uint8Array, outOffset: number): void {
    const level = this.#levelOf(entry);
    const at = (entry - this.#base(level)) * entryWords * 4;
    out.set(new Uint8Array(this.shared.levels[level].entries, at, 32), outOffset);
  }

  /** All entries, in no useful order. No other thread may add any meanwhile: it might be half way. */
  *entries(): Generator<number> {
    for (let level = 0; level < this.#levelCount(); level += 1) {
      const count = this.#countIn(level);
      for (let entry = 0; entry < count; entry += 1)
        if (this.#isUsed(level, entry)) yield this.#base(level) + entry;
    }
  }

  /** How many entries `storedEntries` gives in all. */
  get storedCount(): number {
    let count = 0;
    for (const run of this.storedEntries()) count += run.length / entryBytes;
    return count;
  }

  /**
   * Every entry whose pack is stored, many in one array on shared memory, 48 bytes each: id, pack number with the
   * tree flag on top, offset, stored length, plain length; little endian where the machine is. As for `entries`, no
   * other thread may add any meanwhile.
   */
  *storedEntries(): Generator<Uint8Array> {
    for (let number = 0; number < this.#levelCount(); number += 1) {
      const { entries } = this.#level(number);
      const count = this.#countIn(number);
      let first = 0;
      for (let entry = 0; entry <= count; entry += 1) {
        const pack = entry < count ? entries[entry * entryWords + wordAt.pack] : unused;
        const isStored = pack !== unused && (pack & packMask) !== noPack;
        if (isStored && entry - first < runEntriesMax) continue;
        if (entry > first)
          yield new Uint8Array(entries.buffer, first * entryBytes, (entry - first) * entryBytes);
        first = isStored ? entry : entry + 1;
      }
    }
  }

  /** A claim that lost its race leaves an entry without a blob. */
  #isUsed(level: number, entry: number): boolean {
    const { entries } = this.#level(level);
    return entries[entry * entryWords + wordAt.pack] !== unused;
  }

  #find(words: Int32Array, hash: number, isTree: boolean): number {
    const levels = this.#levelCount();
    for (let level = 0; level < levels; level += 1) {
      const entry = findInLevel(this.#level(level), words, hash, isTree);
      if (entry >= 0) return this.#base(level) + entry;
    }
    return -1;
  }

  #insert(
    words: Int32Array,
    hash: number,
    isTree: boolean,
    pack: number,
    offset: number,
    length: number,
    plainLength: number,
  ): boolean {
    for (let number = this.#levelCount() - 1; ; number += 1) {
      const level = this.#level(number);
      const entry = Atomics.add(this.#control, control.counts + number, 1);
      if (entry >= level.entriesMax) {
        Atomics.sub(this.#control, control.counts + number, 1);
        this.#openLevel(number + 1);
        continue;
      }
      const at = entry * entryWords;
      const { entries, signed } = level;
      for (let i = 0; i < 8; i += 1) signed[at + i] = words[i];
      entries[at + wordAt.pack] = (isTree ? treeFlag : 0) + pack;
      entries[at + wordAt.offset] = offset;
      entries[at + wordAt.length] = length;
      entries[at + wordAt.plainLength] = plainLength;
      if (claimSlot(level, words, hash, isTree, entry)) return true;
      entries[at + wordAt.pack] = unused;
      return false;
    }
  }

  #words(ids: Uint8Array, offset: number): Int32Array {
    const bytes = this.#idBytes;
    for (let i = 0; i < 32; i += 1) bytes[i] = ids[offset + i];
    return this.#idWords;
  }

  /** Entries taken in a level. A thread that finds it full counts itself for a moment. */
  #countIn(level: number): number {
    const count = Atomics.load(this.#control, control.counts + level);
    return Math.min(count, this.#level(level).entriesMax);
  }

  #word(entry: number, word: number): number {
    const level = this.#levelOf(entry);
    return this.#level(level).entries[(entry - this.#base(level)) * entryWords + word];
  }

  #levelOf(entry: number): number {
    let level = 0;
    while (entry >= this.#base(level + 1)) level += 1;
    return level;
  }

  /** Number of the first entry of a level. */
  #base(level: number): number {
    return this.#bases[level];
  }

  #levelCount(): number {
    return Atomics.load(this.#control, control.levels);
  }

  #level(number: number): BlobLevel {
    const known = this.#levels[number];
    if (known !== undefined) return known;
    const { slots, entries } = this.shared.levels[number];
    const level = openBlobLevel(slots, entries, slotsOf(this.shared.slotsMin, number));
    this.#levels[number] = level;
    return level;
  }

  /** Opens a level if no other thread has; growing to the same size twice is harmless. */
  #openLevel(number: number): void {
    const buffers = this.shared.levels[number];
    if (buffers === undefined) throw new BackstayError("INTERNAL", { problem: "too many blobs" });
    buffers.slots.grow(buffers.slots.maxByteLength);
    buffers.entries.grow(buffers.entries.maxByteLength);
    Atomics.compareExchange(this.#control, control.levels, number, number + 1);
  }
}

function slotsOf(slotsMin: number, level: number): number {
  return slotsMin * 2 ** level;
}
