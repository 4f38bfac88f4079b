/**
 * What a run has read so far, so that the run after an interrupted one need not read it again: a local
 * file to which each finished work item is appended. Removed when a snapshot is saved. Nothing is believed
 * blindly: an entry counts only while the file's record is the same and the repository has all its blobs.
 *
 * File   = records. Record = u32 length of all that follows the CRC ‖ u32 CRC-32 of it ‖ u16 path length ‖ path ‖ entries.
 * Entry  = 88 bytes stat record ‖ f64 start (0, or that of a range) ‖ f64 bytes ‖ u32 ids ‖ u16 name length ‖ u16 flags ‖ name ‖ ids.
 * A record that is cut or damaged ends the file.
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";

const headBytes = 8;
const entryFixedBytes = statRecordBytes + 24;
const bufferBytes = 256 * 1024;
const recordBytesMax = 64 * 1024 * 1024;
export const journalFlags = { attributes: 1, range: 2 } as const;

/** A file, or a range of one, whose content is in the repository or on its way there. */
export interface JournalEntry {
  readonly name: Uint8Array;
  readonly record: Uint8Array;
  readonly recordOffset: number;
  /** Where the range begins. */
  readonly start: number;
  /** Bytes of content. */
  readonly size: number;
  readonly flags: number;
  readonly ids: Uint8Array;
  readonly idsStart: number;
  readonly idCount: number;
}

export class FileJournalWriter {
  readonly #descriptor: number;
  #buffer = Buffer.alloc(bufferBytes);
  #used = 0;

  /** Opens `filePath` to append to; throws the system's error. */
  constructor(filePath: string) {
    this.#descriptor = openSync(filePath, "a", 0o600);
  }

  /** Appends entries of one directory. */
  add(directory: Uint8Array, entries: readonly JournalEntry[]): void {
    let length = 2 + directory.length;
    for (const entry of entries) length += entryFixedBytes + entry.name.length + entry.idCount * 32;
    if (length > recordBytesMax) return;
    if (this.#used + headBytes + length > this.#buffer.length) this.flush();
    if (headBytes + length > this.#buffer.length) this.#buffer = Buffer.alloc(headBytes + length);
    const buffer = this.#buffer;
    const start = this.#used + headBytes;
    let at = start;
    at = buffer.writeUInt16LE(directory.length, at);
    buffer.set(directory, at);
    at += directory.length;
    for (const entry of entries) at = writeEntry(buffer, at, entry);
    buffer.writeUInt32LE(length, this.#used);
    buffer.writeUInt32LE(crc32(buffer.subarray(start, at)), this.#used + 4);
    this.#used = at;
  }

  /** Hands what is gathered to the system. */
  flush(): void {
    for (let at = 0; at < this.#used; )
      at += writeSync(this.#descriptor, this.#buffer, at, this.#used - at);
    this.#used = 0;
  }

  close(): void {
    this.flush();
    closeSync(this.#descriptor);
  }
}

function writeEntry(buffer: Buffer, start: number, entry: JournalEntry): number {
  let at = start;
  buffer.set(entry.record.subarray(entry.recordOffset, entry.recordOffset + statRecordBytes), at);
  at += statRecordBytes;
  at = buffer.writeDoubleLE(entry.start, at);
  at = buffer.writeDoubleLE(entry.size, at);
  at = buffer.writeUInt32LE(entry.idCount, at);
  at = buffer.writeUInt16LE(entry.name.length, at);
  at = buffer.writeUInt16LE(entry.flags, at);
  buffer.set(entry.name, at);
  at += entry.name.length;
  buffer.set(entry.ids.subarray(entry.idsStart, entry.idsStart + entry.idCount * 32), at);
  return at + entry.idCount * 32;
}

/** Entries of one directory by name (bytes as latin1); ranges of a file in the order in which they were read. */
export type JournalDirectory = ReadonlyMap<string, readonly JournalEntry[]>;

const noEntries: JournalDirectory = new Map();

export class FileJournalReader {
  readonly #descriptor: number;
  /** Offsets of records by directory path. */
  readonly #records = new Map<string, number[]>();

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** The journal at `filePath`, or undefined if there is none or an empty one. */
  static open(filePath: string): FileJournalReader | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(filePath, "r");
    } catch {
      // No interrupted run, or a journal that can't be read: everything is read again.
      return undefined;
    }
    const reader = new FileJournalReader(descriptor);
    reader.#scan();
    if (reader.#records.size > 0) return reader;
    reader.close();
    return undefined;
  }

  /** What the interrupted run had read of a directory. */
  directory(path: Uint8Array): JournalDirectory {
    const offsets = this.#records.get(Buffer.from(path).toString("latin1"));
    if (offsets === undefined) return noEntries;
    const entries = new Map<string, JournalEntry[]>();
    for (const offset of offsets) {
      const body = this.#read(offset);
      if (body === undefined) continue;
      for (let at = 2 + body.readUInt16LE(0); at < body.length; ) {
        const { entry, end } = readEntry(body, at);
        const name = Buffer.from(entry.name).toString("latin1");
        const known = entries.get(name);
        if (known === undefined) entries.set(name, [entry]);
        else known.push(entry);
        at = end;
      }
    }
    return entries;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #scan(): void {
    const { size } = fstatSync(this.#descriptor);
    for (let offset = 0; offset + headBytes < size; ) {
      const body = this.#read(offset);
      if (body === undefined) return;
      const path = body.subarray(2, 2 + body.readUInt16LE(0)).toString("latin1");
      const known = this.#records.get(path);
      if (known === undefined) this.#records.set(path, [offset]);
      else known.push(offset);
      offset += headBytes + body.length;
    }
  }

  #read(offset: number): Buffer | undefined {
    const head = Buffer.alloc(headBytes);
    if (readSync(this.#descriptor, head, 0, headBytes, offset) !== headBytes) return undefined;
    const length = head.readUInt32LE(0);
    if (length < 2 || length > recordBytesMax) return undefined;
    const body = Buffer.allocUnsafe(length);
    if (readSync(this.#descriptor, body, 0, length, offset + headBytes) !== length)
      return undefined;
    return crc32(body) === head.readUInt32LE(4) ? body : undefined;
  }
}

function readEntry(body: Buffer, start: number): { entry: JournalEntry; end: number } {
  const fixed = start + statRecordBytes;
  const idCount = body.readUInt32LE(fixed + 16);
  const nameStart = fixed + 24;
  const nameEnd = nameStart + body.readUInt16LE(fixed + 20);
  const entry: JournalEntry = {
    name: body.subarray(nameStart, nameEnd),
    record: body,
    recordOffset: start,
    start: body.readDoubleLE(fixed),
    size: body.readDoubleLE(fixed + 8),
    flags: body.readUInt16LE(fixed + 22),
    ids: body,
    idsStart: nameEnd,
    idCount,
  };
  return { entry, end: nameEnd + idCount * 32 };
}
