/** Writes a catalog file: blocks as directories are finished, then the footer, then the final name. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { crc32 } from "node:zlib";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import {
  blockFixedBytes,
  blockHeadBytes,
  catalogMagic,
  entryAt,
  entryFixedBytes,
  footerBytes,
} from "./catalog-format.ts";

const bufferBytes = 1024 * 1024;

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

  /** Begins a catalog that will stand at `filePath`. Throws the system's error if it can't be written. */
  constructor(filePath: string) {
    this.#path = filePath;
    this.#temporary = `${filePath}.new`;
    this.#descriptor = openSync(this.#temporary, "w", 0o600);
    this.#used = catalogMagic.length;
    this.#buffer.set(catalogMagic);
  }

  /** Begins the block of a directory. */
  begin(): void {
    if (this.#used > bufferBytes / 2) this.#flush();
    this.#blockStart = this.#used;
    this.#entries = 0;
    this.#reserve(blockHeadBytes + blockFixedBytes);
    this.#used += blockHeadBytes + blockFixedBytes;
  }

  add(entry: CatalogEntry): void {
    const nameLength = entry.nameEnd - entry.nameStart;
    const idsLength = entry.idsEnd - entry.idsStart;
    this.#reserve(entryFixedBytes + nameLength + idsLength);
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

  /** Ends the block; returns its offset in the file. */
  end(treeId: Uint8Array): number {
    const buffer = this.#buffer;
    const start = this.#blockStart;
    buffer.set(treeId, start + blockHeadBytes);
    buffer.writeUInt32LE(this.#entries, start + blockHeadBytes + 32);
    const body = buffer.subarray(start + blockHeadBytes, this.#used);
    buffer.writeUInt32LE(body.length, start);
    buffer.writeUInt32LE(crc32(body), start + 4);
    return this.#flushed + start;
  }

  /** Completes the file under its name, durable. */
  finish(topBlock: number, snapshotId: Uint8Array): void {
    this.#reserve(footerBytes);
    this.#buffer.writeDoubleLE(topBlock, this.#used);
    this.#buffer.set(snapshotId, this.#used + 8);
    this.#buffer.set(catalogMagic, this.#used + 40);
    this.#used += footerBytes;
    this.#flush();
    fsyncSync(this.#descriptor);
    this.#close();
    renameSync(this.#temporary, this.#path);
    const folder = openSync(path.dirname(this.#path), "r");
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }

  /** Leaves nothing behind. */
  abandon(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  /** Makes room; a block stays in the buffer as a whole until it is ended. */
  #reserve(bytes: number): void {
    const needed = this.#used + bytes;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.alloc(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(grown, 0, 0, this.#used);
    this.#buffer = grown;
  }

  #flush(): void {
    for (let at = 0; at < this.#used; )
      at += writeSync(this.#descriptor, this.#buffer, at, this.#used - at);
    this.#flushed += this.#used;
    this.#used = 0;
    if (this.#buffer.length > 8 * bufferBytes) this.#buffer = Buffer.alloc(bufferBytes);
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
