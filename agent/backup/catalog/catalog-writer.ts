/**
 * Writes a catalog file: blocks as directories are finished, then the footer, then the final name. A catalog
 * only saves time: a disk that fills up ends the catalog, not the backup.
 */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { threadId } from "node:worker_threads";
import { crc32 } from "node:zlib";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import {
  blockFixedBytes,
  blockHeadBytes,
  catalogMagic,
  entryAt,
  entryFixedBytes,
  footerAt,
  footerBytes,
} from "./catalog-format.ts";

const bufferBytes = 1024 * 1024;
const blockBytesMax = 0xffff_ffff;

/** Tells apart the catalogs that one thread writes at the same time. */
let writers = 0;

/** One entry of a block; arrays are read during the call only. */
export interface CatalogEntry {
  record: Uint8Array;
  recordOffset: number;
  /** Offset of the child's block, 0 for everything but directories. */
  child: number;
  ids: Uint8Array;
  idsStart: number;
  idsEnd: number;
  name: Uint8Array;
  nameStart: number;
  nameEnd: number;
  flags: number;
}

export class CatalogWriter {
  readonly #path: string;
  readonly #temporary: string;
  #descriptor: number;
  /** File offset of the first byte in the buffer. */
  #flushed = 0;
  #buffer = Buffer.alloc(bufferBytes);
  #used = 0;
  #blockStart = 0;
  #entries = 0;
  #hasFailed = false;

  /**
   * Begins a catalog that will stand at `filePath`; until then its name is `filePath`.PID-THREAD-NUMBER.new,
   * so that two runs never write to one file. Throws the system's error if it can't be created. Later failures are told
   * by `finish`.
   */
  constructor(filePath: string) {
    this.#path = filePath;
    this.#temporary = `${filePath}.${process.pid}-${threadId}-${writers}.new`;
    writers += 1;
    this.#descriptor = openSync(this.#temporary, "w", 0o600);
    this.#used = catalogMagic.length;
    this.#buffer.set(catalogMagic);
  }

  /** Begins the block of a directory. */
  begin(): void {
    if (this.#used > bufferBytes / 2) this.#flush();
    if (this.#hasFailed) return;
    this.#blockStart = this.#used;
    this.#entries = 0;
    if (!this.#reserve(blockHeadBytes + blockFixedBytes)) return;
    this.#used += blockHeadBytes + blockFixedBytes;
  }

  add(entry: CatalogEntry): void {
    if (this.#hasFailed) return;
    const nameLength = entry.nameEnd - entry.nameStart;
    const idsLength = entry.idsEnd - entry.idsStart;
    if (!this.#reserve(entryFixedBytes + nameLength + idsLength)) return;
    const buffer = this.#buffer;
    const at = this.#used;
    copy(entry.record, entry.recordOffset, entry.recordOffset + statRecordBytes, buffer, at);
    buffer.writeDoubleLE(entry.child, at + entryAt.child);
    buffer.writeUInt32LE(idsLength / 32, at + entryAt.ids);
    buffer.writeUInt16LE(nameLength, at + entryAt.nameLength);
    buffer.writeUInt16LE(entry.flags, at + entryAt.flags);
    copy(entry.name, entry.nameStart, entry.nameEnd, buffer, at + entryFixedBytes);
    copy(entry.ids, entry.idsStart, entry.idsEnd, buffer, at + entryFixedBytes + nameLength);
    this.#used = at + entryFixedBytes + nameLength + idsLength;
    this.#entries += 1;
  }

  /** Ends the block; returns its offset in the file, 0 if the catalog has failed. */
  end(treeId: Uint8Array): number {
    if (this.#used - this.#blockStart > blockBytesMax) this.#fail();
    if (this.#hasFailed) return 0;
    const buffer = this.#buffer;
    const start = this.#blockStart;
    buffer.set(treeId, start + blockHeadBytes);
    buffer.writeUInt32LE(this.#entries, start + blockHeadBytes + 32);
    const body = buffer.subarray(start + blockHeadBytes, this.#used);
    buffer.writeUInt32LE(body.length, start);
    buffer.writeUInt32LE(crc32(body), start + 4);
    return this.#flushed + start;
  }

  /** Completes the file under its name, durable; false, with nothing left behind, if that failed. */
  finish(topBlock: number, snapshotId: Uint8Array): boolean {
    if (this.#hasFailed || !this.#reserve(footerBytes)) return false;
    const footer = this.#buffer.subarray(this.#used, this.#used + footerBytes);
    footer.writeDoubleLE(topBlock, 0);
    footer.set(snapshotId, footerAt.snapshotId);
    footer.writeUInt32LE(crc32(footer.subarray(0, footerAt.crc)), footerAt.crc);
    footer.set(catalogMagic, footerAt.magic);
    this.#used += footerBytes;
    this.#flush();
    if (this.#hasFailed) return false;
    try {
      fsyncSync(this.#descriptor);
      this.#close();
      renameSync(this.#temporary, this.#path);
      syncFolder(path.dirname(this.#path));
      return true;
    } catch {
      // Whatever the reason, the next run compares with the parent snapshot instead.
      this.#fail();
      return false;
    }
  }

  /** Leaves nothing behind. Never throws. */
  abandon(): void {
    this.#fail();
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#buffer = Buffer.alloc(0);
    try {
      this.#close();
      rmSync(this.#temporary, { force: true });
    } catch {
      // What is left behind is removed by a later run.
    }
  }

  #close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = -1;
    if (descriptor >= 0) closeSync(descriptor);
  }

  /** Makes room; a block stays in the buffer as a whole until it is ended. False if there is no memory for it. */
  #reserve(bytes: number): boolean {
    const needed = this.#used + bytes;
    if (needed <= this.#buffer.length) return true;
    try {
      const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#used);
      this.#buffer = grown;
      return true;
    } catch {
      // A folder of tens of millions of entries.
      this.#fail();
      return false;
    }
  }

  #flush(): void {
    try {
      for (let at = 0; at < this.#used; )
        at += writeSync(this.#descriptor, this.#buffer, at, this.#used - at);
    } catch {
      // The disk of the cache is full or gone.
      this.#fail();
      return;
    }
    this.#flushed += this.#used;
    this.#used = 0;
    if (this.#buffer.length > 8 * bufferBytes) this.#buffer = Buffer.alloc(bufferBytes);
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function copy(
  source: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): void {
  for (let i = start, j = at; i < end; i += 1, j += 1) target[j] = source[i];
}
