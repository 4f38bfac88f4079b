/**
 * What a run has read so far, so that the run after an interrupted one need not read it again: a local
 * file to which each finished work item is appended. Removed when a snapshot is saved. Nothing is believed
 * blindly: an entry counts only while the file's record is the same and the repository has all its blobs.
 */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import {
  entriesStart,
  entryFixedBytes,
  type JournalEntry,
  pathFixedBytes,
  recordBytesMax,
  recordHeadBytes,
  writeEntry,
} from "./file-journal-format.ts";
import { JournalDirectory } from "./journal-directory.ts";

const bufferBytes = 256 * 1024;

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
    if (this.#used + recordHeadBytes + length > this.#buffer.length) this.flush();
    if (recordHeadBytes + length > this.#buffer.length)
      this.#buffer = Buffer.alloc(recordHeadBytes + length);
    const buffer = this.#buffer;
    const start = this.#used + recordHeadBytes;
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

  /** What interrupted runs had read of a directory; of use until the journal is closed. */
  directory(path: Uint8Array): JournalDirectory {
    const records = this.#records.get(Buffer.from(path).toString("latin1")) ?? [];
    return new JournalDirectory(records, (record) => this.#read(record));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #scan(): number {
    const { size } = fstatSync(this.#descriptor);
    let offset = 0;
    while (offset + recordHeadBytes < size) {
      const body = this.#read(offset);
      if (body === undefined) break;
      const path = body.subarray(pathFixedBytes, entriesStart(body)).toString("latin1");
      const known = this.#records.get(path);
      if (known === undefined) this.#records.set(path, [offset]);
      else known.push(offset);
      offset += recordHeadBytes + body.length;
    }
    return offset;
  }

  #read(offset: number): Buffer | undefined {
    const head = Buffer.alloc(recordHeadBytes);
    if (readSync(this.#descriptor, head, 0, recordHeadBytes, offset) !== recordHeadBytes)
      return undefined;
    const length = head.readUInt32LE(0);
    if (length < pathFixedBytes || length > recordBytesMax) return undefined;
    const body = Buffer.allocUnsafe(length);
    if (readSync(this.#descriptor, body, 0, length, offset + recordHeadBytes) !== length)
      return undefined;
    return crc32(body) === head.readUInt32LE(4) ? body : undefined;
  }
}
