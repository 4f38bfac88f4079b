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
  blockAt,
  blockHeadBytes,
  catalogMagic,
  entryAt,
  entryFixedBytes,
  footerAt,
  footerBytes,
  pieceBytesMax,
  pieceHeadBytes,
} from "./catalog-format.ts";

const bufferBytes = 1024 * 1024;
/** A file of more blobs, 30 TB and up, is not worth a buffer. */
const entryBytesMax = 1024 * 1024 * 1024;

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
  /** File offset of the block's head. */
  #block = 0;
  /** Place of the piece's head in the buffer, -1 between pieces. */
  #piece = -1;
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
    if (!this.#reserve(blockHeadBytes)) return;
    this.#block = this.#flushed + this.#used;
    this.#used += blockHeadBytes;
    this.#entries = 0;
  }

  add(entry: CatalogEntry): void {
    const nameLength = entry.nameEnd - entry.nameStart;
    const idsLength = entry.idsEnd - entry.idsStart;
    const length = entryFixedBytes + nameLength + idsLength;
    const pieceLength = this.#used - this.#piece - pieceHeadBytes;
    if (this.#piece >= 0 && pieceLength + length > pieceBytesMax) this.#endPiece();
    if (this.#piece < 0 && !this.#beginPiece(length)) return;
    const buffer = this.#buffer;
    const at = this.#used;
    copy(entry.record, entry.recordOffset, entry.recordOffset + statRecordBytes, buffer, at);
    buffer.writeDoubleLE(entry.child, at + entryAt.child);
    buffer.writeUInt32LE(idsLength / 32, at + entryAt.ids);
    buffer.writeUInt16LE(nameLength, at + entryAt.nameLength);
    buffer.writeUInt16LE(entry.flags, at + entryAt.flags);
    copy(entry.name, entry.nameStart, entry.nameEnd, buffer, at + entryFixedBytes);
    copy(entry.ids, entry.idsStart, entry.idsEnd, buffer, at + entryFixedBytes + nameLength);
    this.#used = at + length;
    this.#entries += 1;
  }

  /** Ends the block; returns its offset in the file, 0 if the catalog has failed. */
  end(treeId: Uint8Array): number {
    if (this.#hasFailed) return 0;
    if (this.#piece >= 0) this.#endPiece();
    const head = Buffer.alloc(blockHeadBytes);
    head.set(treeId);
    head.writeUInt32LE(this.#entries, blockAt.entries);
    head.writeUInt32LE(crc32(head.subarray(0, blockAt.crc)), blockAt.crc);
    const at = this.#block - this.#flushed;
    if (at >= 0) this.#buffer.set(head, at);
    else this.#write(head, head.length, this.#block);
    return this.#hasFailed ? 0 : this.#block;
  }

  /** Completes the file under its name, durable; false, with nothing left behind, if that failed. */
  finish(topBlock: number, snapshotId: Uint8Array): boolean {
    if (!this.#reserve(footerBytes)) return false;
    const footer = this.#buffer.subarray(this.#used, this.#used + footerBytes);
    footer.writeDoubleLE(topBlock, 0);
    footer.set(snapshotId, footerAt.snapshotId);
    footer.writeUInt32LE(crc32(footer.subarray(0, footerAt.crc)), footerAt.crc);
    footer.set(catalogMagic, footerAt.magic);
    this.#used += footerBytes;
    this.#write(this.#buffer, this.#used, this.#flushed);
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
    this.#piece = -1;
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

  /** Begins a piece with room for an entry of `length` bytes, and all that may follow in it. */
  #beginPiece(length: number): boolean {
    if (length > entryBytesMax) this.#fail();
    if (!this.#reserve(pieceHeadBytes + Math.max(length, pieceBytesMax))) return false;
    this.#piece = this.#used;
    this.#used += pieceHeadBytes;
    return true;
  }

  #endPiece(): void {
    const start = this.#piece + pieceHeadBytes;
    this.#buffer.writeUInt32LE(this.#used - start, this.#piece);
    this.#buffer.writeUInt32LE(crc32(this.#buffer.subarray(start, this.#used)), this.#piece + 4);
    this.#piece = -1;
  }

  /** Makes room, outside of pieces. False if there is none to be had, or the catalog has failed before. */
  #reserve(bytes: number): boolean {
    if (this.#hasFailed) return false;
    if (this.#used + bytes <= this.#buffer.length) return true;
    this.#write(this.#buffer, this.#used, this.#flushed);
    if (this.#hasFailed) return false;
    this.#flushed += this.#used;
    this.#used = 0;
    // For a file of very many blobs the buffer grows, and goes back afterwards.
    const needed = Math.max(bytes, bufferBytes);
    if (needed !== this.#buffer.length) this.#buffer = Buffer.alloc(needed);
    return true;
  }

  #write(bytes: Buffer, length: number, offset: number): void {
    try {
      for (let at = 0; at < length; )
        at += writeSync(this.#descriptor, bytes, at, length - at, offset + at);
    } catch {
      // The disk of the cache is full or gone.
      this.#fail();
    }
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
