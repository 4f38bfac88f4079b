/**
 * What a run has read so far, so that the run after an interrupted one need not read it again: a local
 * file to which each finished work item is appended. Removed when a snapshot is saved. Nothing is believed
 * blindly: an entry counts only while the file's record is the same and the repository has all its blobs.
 *
 * File   = records. Record = u32 length of all that follows the CRC ‖ u32 CRC-32 of it ‖ u32 path length ‖ path ‖ entries.
 * Entry  = 88 bytes stat record ‖ f64 start (0, or that of a range) ‖ f64 bytes ‖ u32 ids ‖ u16 name length ‖ u16 flags ‖ name ‖ ids.
 * A record that is cut or damaged ends the file; a run that goes on with the file begins there.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";

const headBytes = 8;
const pathFixedBytes = 4;
const entryFixedBytes = statRecordBytes + 24;
const idCountAt = statRecordBytes + 16;
const nameLengthAt = statRecordBytes + 20;
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
  #hasFailed = false;

  /**
   * Opens `filePath` to append to what stands in its first `keptBytes` bytes; the rest is cut off. Throws the
   * system's error. A disk that fills up later ends the journal, not the backup.
   */
  constructor(filePath: string, keptBytes: number) {
    this.#descriptor = openSync(filePath, "a", 0o600);
    if (fstatSync(this.#descriptor).size > keptBytes) ftruncateSync(this.#descriptor, keptBytes);
  }

  /** Appends entries of one directory. */
  add(directory: Uint8Array, entries: readonly JournalEntry[]): void {
    let length = pathFixedBytes + directory.length;
    for (const entry of entries) length += entryFixedBytes + entry.name.length + entry.idCount * 32;
    if (this.#hasFailed || length > recordBytesMax) return;
    if (this.#used + headBytes + length > this.#buffer.length) this.flush();
    if (headBytes + length > this.#buffer.length) this.#buffer = Buffer.alloc(headBytes + length);
    const buffer = this.#buffer;
    const start = this.#used + headBytes;
    let at = buffer.writeUInt32LE(directory.length, start);
    buffer.set(directory, at);
    at += directory.length;
    for (const entry of entries) at = writeEntry(buffer, at, entry);
    buffer.writeUInt32LE(length, this.#used);
    buffer.writeUInt32LE(crc32(buffer.subarray(start, at)), this.#used + 4);
    this.#used = at;
  }

  /** Hands what is gathered to the system: from then on it outlives the process. */
  flush(): void {
    const used = this.#used;
    this.#used = 0;
    if (this.#hasFailed || used === 0) return;
    try {
      // What the disk took only a part of ends the journal: nothing may stand behind it.
      if (writeSync(this.#descriptor, this.#buffer, 0, used) < used) this.#hasFailed = true;
    } catch {
      this.#hasFailed = true;
    }
  }

  /** Flushes and closes. Never throws. */
  close(): void {
    this.flush();
    try {
      closeSync(this.#descriptor);
    } catch {
      // As for a write that failed.
    }
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

export class FileJournalReader {
  readonly #descriptor: number;
  /** Offsets of records by directory path. */
  readonly #records = new Map<string, number[]>();
  /** Bytes at the beginning of the file that hold intact records. */
  readonly validBytes: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.validBytes = this.#scan();
  }

  /** The journal at `filePath`, or undefined if there is none or one without an intact record. */
  static open(filePath: string): FileJournalReader | undefined {
    let descriptor: number;
    try {
      descriptor = openSync(filePath, "r");
    } catch {
      // No interrupted run, or a journal that can't be read: everything is read again.
      return undefined;
    }
    const reader = new FileJournalReader(descriptor);
    if (reader.validBytes > 0) return reader;
    reader.close();
    return undefined;
  }

  /** What interrupted runs had read of a directory. */
  directory(path: Uint8Array): JournalDirectory {
    const offsets = this.#records.get(Buffer.from(path).toString("latin1")) ?? [];
    const bodies: Buffer[] = [];
    for (const offset of offsets) {
      const body = this.#read(offset);
      if (body !== undefined) bodies.push(body);
    }
    return new JournalDirectory(bodies);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #scan(): number {
    const { size } = fstatSync(this.#descriptor);
    let offset = 0;
    while (offset + headBytes < size) {
      const body = this.#read(offset);
      if (body === undefined) break;
      const path = body.subarray(pathFixedBytes, entriesStart(body)).toString("latin1");
      const known = this.#records.get(path);
      if (known === undefined) this.#records.set(path, [offset]);
      else known.push(offset);
      offset += headBytes + body.length;
    }
    return offset;
  }

  #read(offset: number): Buffer | undefined {
    const head = Buffer.alloc(headBytes);
    if (readSync(this.#descriptor, head, 0, headBytes, offset) !== headBytes) return undefined;
    const length = head.readUInt32LE(0);
    if (length < pathFixedBytes || length > recordBytesMax) return undefined;
    const body = Buffer.allocUnsafe(length);
    if (readSync(this.#descriptor, body, 0, length, offset + headBytes) !== length)
      return undefined;
    return crc32(body) === head.readUInt32LE(4) ? body : undefined;
  }
}

/** Entries of one directory, found by name. Made for folders of a million files: no object an entry. */
export class JournalDirectory {
  readonly #bodies: readonly Buffer[];
  /** Number of the last entry of a name (its bytes as latin1). */
  readonly #last = new Map<string, number>();
  readonly #bodyOf: number[] = [];
  readonly #startOf: number[] = [];
  /** Number of the entry of the same name before, or -1. */
  readonly #before: number[] = [];

  constructor(bodies: readonly Buffer[]) {
    this.#bodies = bodies;
    for (const [number, body] of bodies.entries())
      for (let at = entriesStart(body); at < body.length; ) {
        const nameStart = at + entryFixedBytes;
        const nameEnd = nameStart + body.readUInt16LE(at + nameLengthAt);
        const name = body.toString("latin1", nameStart, nameEnd);
        const entry = this.#bodyOf.length;
        this.#bodyOf.push(number);
        this.#startOf.push(at);
        this.#before.push(this.#last.get(name) ?? -1);
        this.#last.set(name, entry);
        at = nameEnd + body.readUInt32LE(at + idCountAt) * 32;
      }
  }

  /** Entries of `name`, the newest first: a whole file, or ranges of one. */
  *entriesOf(name: Uint8Array): Generator<JournalEntry> {
    if (this.#last.size === 0) return;
    const key = Buffer.from(name.buffer, name.byteOffset, name.length).toString("latin1");
    for (let entry = this.#last.get(key) ?? -1; entry >= 0; entry = this.#before[entry])
      yield readEntry(this.#bodies[this.#bodyOf[entry]], this.#startOf[entry]);
  }
}

function entriesStart(body: Buffer): number {
  return pathFixedBytes + body.readUInt32LE(0);
}

function readEntry(body: Buffer, start: number): JournalEntry {
  const fixed = start + statRecordBytes;
  const nameStart = start + entryFixedBytes;
  const nameEnd = nameStart + body.readUInt16LE(start + nameLengthAt);
  return {
    name: body.subarray(nameStart, nameEnd),
    record: body,
    recordOffset: start,
    start: body.readDoubleLE(fixed),
    size: body.readDoubleLE(fixed + 8),
    flags: body.readUInt16LE(fixed + 22),
    ids: body,
    idsStart: nameEnd,
    idCount: body.readUInt32LE(start + idCountAt),
  };
}
