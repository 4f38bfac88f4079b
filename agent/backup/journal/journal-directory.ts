/** What the journal of files holds of one directory, found by name. */
import { randomInt } from "node:crypto";
import {
  entriesStart,
  entryEnd,
  entryFixedBytes,
  type JournalEntry,
  nameEnd,
  readEntry,
} from "./file-journal-format.ts";

/** Records in memory: names are asked for in the order in which they were noted, or nearly so, by each worker. */
const heldRecordsMax = 16;
const firstEntries = 256;
/** Of a process: names that share a slot can't be prepared. */
const seed = randomInt(0x7fffffff);

/**
 * Made for directories of a million files: 20 bytes an entry are held, and the records that were asked for last; the
 * others are read again.
 */
export class JournalDirectory {
  readonly #records: readonly number[];
  readonly #load: (record: number) => Buffer | undefined;
  /** The records used last, by their number here; the newest is the last. */
  readonly #held = new Map<number, Buffer>();
  #count = 0;
  #recordOf = new Uint32Array(0);
  #startOf = new Uint32Array(0);
  #hashOf = new Int32Array(0);
  /** Number of the entry of the same hash before, or -1. */
  #before = new Int32Array(0);
  /** Number of the last entry of a hash, plus 1; 0 where there is none. The length is a power of two. */
  #slots = new Int32Array(0);

  /** `records` are places in the file, `load` reads one of them: undefined if it can't be read any more. */
  constructor(records: readonly number[], load: (record: number) => Buffer | undefined) {
    this.#records = records;
    this.#load = load;
    for (const record of records.keys()) this.#note(record);
    if (this.#count > 0) this.#index();
  }

  /** Entries of `name`, the newest first: a whole file, or ranges of one. */
  *entriesOf(name: Uint8Array): Generator<JournalEntry> {
    if (this.#count === 0) return;
    const hash = hashOf(name, 0, name.length);
    const slot = this.#slotOf(hash);
    for (let entry = this.#slots[slot] - 1; entry >= 0; entry = this.#before[entry]) {
      const body = this.#body(this.#recordOf[entry]);
      if (body === undefined) continue;
      const found = readEntry(body, this.#startOf[entry]);
      if (Buffer.compare(found.name, name) === 0) yield found;
    }
  }

  /** Notes where the entries of a record are. */
  #note(record: number): void {
    const body = this.#load(this.#records[record]);
    if (body === undefined) return;
    for (let at = entriesStart(body); at < body.length; at = entryEnd(body, at)) {
      if (this.#count === this.#startOf.length) this.#grow();
      this.#recordOf[this.#count] = record;
      this.#startOf[this.#count] = at;
      this.#hashOf[this.#count] = hashOf(body, at + entryFixedBytes, nameEnd(body, at));
      this.#count += 1;
    }
  }

  #grow(): void {
    const length = Math.max(firstEntries, this.#count * 2);
    const [recordOf, startOf, hashOf] = [this.#recordOf, this.#startOf, this.#hashOf];
    this.#recordOf = new Uint32Array(length);
    this.#recordOf.set(recordOf);
    this.#startOf = new Uint32Array(length);
    this.#startOf.set(startOf);
    this.#hashOf = new Int32Array(length);
    this.#hashOf.set(hashOf);
  }

  #index(): void {
    this.#before = new Int32Array(this.#count);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(this.#count * 2)));
    for (let entry = 0; entry < this.#count; entry += 1) {
      const slot = this.#slotOf(this.#hashOf[entry]);
      this.#before[entry] = this.#slots[slot] - 1;
      this.#slots[slot] = entry + 1;
    }
  }

  /** The slot of a hash, or the one that it may take. */
  #slotOf(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] > 0 && this.#hashOf[this.#slots[slot] - 1] !== hash)
      slot = (slot + 1) & mask;
    return slot;
  }

  #body(record: number): Buffer | undefined {
    const body = this.#held.get(record) ?? this.#load(this.#records[record]);
    if (body === undefined) return undefined;
    this.#held.delete(record);
    this.#held.set(record, body);
    if (this.#held.size > heldRecordsMax) {
      const [oldest] = this.#held.keys();
      this.#held.delete(oldest);
    }
    return body;
  }
}

/** FNV-1a from a secret start, mixed at the end so that the low bits depend on all. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = seed;
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) ^ (hash >>> 13);
}
