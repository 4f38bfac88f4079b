/** Reads files and turns them into blobs: the inner loop of a sealing worker. */

import type { Codec } from "../../../platform/ports/codec.ts";
import type {
  DirectoryToken,
  SourceFile,
  SourceFiles,
} from "../../../platform/ports/source-files.ts";
import { FileError } from "../../../platform/ports/source-files.ts";
import { statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { chunkBytesMax, chunkBytesMin, type GearChunker } from "../chunker/gear-chunker.ts";
import type { ReadSlots } from "../threads/read-slots.ts";
import { sizeIn, storedSizeIn } from "../work/record-size.ts";
import { isSameContent } from "../work/same-record.ts";
import { counterAt, type SessionMemory } from "../work/session-memory.ts";
import type { PackExchange } from "./pack-exchange.ts";

/** Room for the largest chunk and as much read ahead. */
const bufferBytes = 2 * chunkBytesMax;
/** Shorter holes are read like data: cutting at each would make crumbs. */
const holeBytesMin = 1024 * 1024;

/** What became of one file. `ids` of the sealer hold its blob ids from `idStart` on. */
export interface SealedFile {
  isRead: boolean;
  size: number;
  issue: { code: string; message: string } | undefined;
}

export class FileSealer {
  readonly #files: SourceFiles;
  readonly #codec: Codec;
  readonly #chunker: GearChunker;
  readonly #packs: PackExchange;
  readonly #counters: Float64Array;
  readonly #memory: SessionMemory;
  readonly #slots: ReadSlots;
  readonly #buffer = new Uint8Array(bufferBytes);
  readonly #after = new Uint8Array(statRecordBytes);
  #zeros: Uint8Array | undefined;
  readonly #zeroId = new Uint8Array(32);
  /** Ids of the blobs of the current work item, 32 bytes each. */
  ids = new Uint8Array(32 * 256);
  idCount = 0;

  constructor(parts: {
    files: SourceFiles;
    codec: Codec;
    chunker: GearChunker;
    packs: PackExchange;
    counters: Float64Array;
    memory: SessionMemory;
    slots: ReadSlots;
  }) {
    this.#files = parts.files;
    this.#codec = parts.codec;
    this.#chunker = parts.chunker;
    this.#packs = parts.packs;
    this.#counters = parts.counters;
    this.#memory = parts.memory;
    this.#slots = parts.slots;
  }

  /**
   * Reads a whole file. `records[at]` is what the scan saw; it is brought up to date if the file changed
   * before it was read, and left as it was if it changed meanwhile, so that the next run reads it again.
   */
  sealFile(
    directory: DirectoryToken,
    name: Uint8Array,
    records: Uint8Array,
    at: number,
    attributesOf: (file: SourceFile) => void,
  ): SealedFile {
    const firstId = this.idCount;
    let file: SourceFile | undefined;
    try {
      file = this.#files.openFile(directory, name);
      const sizeSeen = sizeIn(records, at);
      const size =
        sizeSeen <= chunkBytesMin
          ? this.#sealSmall(file, records, at)
          : this.#sealLarge(file, records, at);
      attributesOf(file);
      this.#counters[counterAt.filesDone] += 1;
      if (size >= 0) return { isRead: true, size, issue: undefined };
      return { isRead: true, size: -1 - size, issue: changedIssue };
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.idCount = firstId;
      return { isRead: false, size: 0, issue: { code: error.code, message: error.message } };
    } finally {
      file?.close();
    }
  }

  /** Reads `[start, end)` of a file, or up to its end if `isLast`. */
  sealRange(
    directory: DirectoryToken,
    name: Uint8Array,
    record: Uint8Array,
    range: { start: number; end: number; isLast: boolean },
    attributesOf: (file: SourceFile) => void,
  ): SealedFile {
    const firstId = this.idCount;
    let file: SourceFile | undefined;
    try {
      file = this.#files.openFile(directory, name);
      const end = range.isLast ? Number.MAX_SAFE_INTEGER : range.end;
      const size = this.#sealBytes(file, range.start, end, isSparse(record, 0));
      file.stat(this.#after, 0);
      if (range.isLast) attributesOf(file);
      const isChanged = !isSameContent(record, 0, this.#after, 0);
      return { isRead: true, size, issue: isChanged ? changedIssue : undefined };
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.idCount = firstId;
      return { isRead: false, size: 0, issue: { code: error.code, message: error.message } };
    } finally {
      file?.close();
    }
  }

  /** A file that is one blob. Negative (-1 - size) if it kept changing. */
  #sealSmall(file: SourceFile, records: Uint8Array, at: number): number {
    const after = this.#after;
    for (let attempt = 0; ; attempt += 1) {
      const expected = sizeIn(records, at);
      const size = expected === 0 ? 0 : this.#read(file, 0, expected, 0);
      file.stat(after, 0);
      const isSame = isSameContent(records, at, after, 0);
      if (!isSame && attempt === 0 && sizeIn(after, 0) <= bufferBytes) {
        // It changed between scan and reading, or now: the second look tells.
        records.set(after, at);
        continue;
      }
      if (size > 0) this.#sealBlob(0, size);
      this.#counters[counterAt.bytesDone] += size;
      return isSame ? size : -1 - size;
    }
  }

  #sealLarge(file: SourceFile, records: Uint8Array, at: number): number {
    file.stat(this.#after, 0);
    records.set(this.#after, at);
    const size = this.#sealBytes(file, 0, Number.MAX_SAFE_INTEGER, isSparse(records, at));
    file.stat(this.#after, 0);
    return isSameContent(records, at, this.#after, 0) ? size : -1 - size;
  }

  /** Chunks the bytes from `start` up to `end` or the end of the file; returns their number. */
  #sealBytes(file: SourceFile, start: number, end: number, sparse: boolean): number {
    let position = start;
    while (position < end) {
      const hole = sparse ? holeAt(file, position, end) : undefined;
      if (hole?.isHole === true) {
        this.#sealZeros(hole.length);
        position += hole.length;
        continue;
      }
      const runEnd = hole === undefined ? end : position + hole.length;
      const read = this.#sealRun(file, position, runEnd);
      position += read;
      if (position < runEnd) break;
    }
    return position - start;
  }

  /** Chunks a run of data; returns the bytes read, fewer than asked for only at the end of the file. */
  #sealRun(file: SourceFile, start: number, end: number): number {
    const buffer = this.#buffer;
    let from = 0;
    let filled = 0;
    let position = start;
    let isAtEnd = false;
    for (;;) {
      if (!isAtEnd && filled - from < chunkBytesMax) {
        buffer.copyWithin(0, from, filled);
        filled -= from;
        from = 0;
        const wanted = Math.min(bufferBytes - filled, end - position);
        const read = wanted === 0 ? 0 : this.#read(file, filled, wanted, position);
        filled += read;
        position += read;
        isAtEnd = read < wanted || position === end;
      }
      if (from === filled) return position - start;
      const cut = this.#chunker.cut(buffer, from, filled);
      this.#sealBlob(from, cut - from);
      this.#counters[counterAt.bytesDone] += cut - from;
      from = cut;
      this.#memory.assertRunning();
    }
  }

  #read(file: SourceFile, offset: number, length: number, position: number): number {
    this.#slots.enter();
    try {
      const read = file.read(this.#buffer, offset, length, position);
      this.#counters[counterAt.bytesRead] += read;
      return read;
    } finally {
      this.#slots.leave();
    }
  }

  #sealBlob(offset: number, length: number): void {
    const idAt = this.#nextId();
    this.#codec.sha256(this.#buffer, offset, length, this.ids, idAt);
    this.#packs.store(this.#buffer, offset, length, this.ids, idAt, false);
  }

  /**
   * Blobs of zeros for a hole, without reading it. The first is the shortest chunk, 512 KiB: by its id
   * `restic restore --sparse` sees that the file has holes.
   */
  #sealZeros(length: number): void {
    if (this.#zeros === undefined) {
      this.#zeros = new Uint8Array(chunkBytesMax);
      this.#codec.sha256(this.#zeros, 0, chunkBytesMax, this.#zeroId, 0);
    }
    for (let left = length; left > 0; ) {
      const size = Math.min(left, left === length ? chunkBytesMin : chunkBytesMax);
      const idAt = this.#nextId();
      if (size === chunkBytesMax) this.ids.set(this.#zeroId, idAt);
      else this.#codec.sha256(this.#zeros, 0, size, this.ids, idAt);
      this.#packs.store(this.#zeros, 0, size, this.ids, idAt, false);
      left -= size;
    }
    this.#counters[counterAt.bytesDone] += length;
  }

  #nextId(): number {
    const at = this.idCount * 32;
    if (at + 32 > this.ids.length) {
      const grown = new Uint8Array(this.ids.length * 2);
      grown.set(this.ids);
      this.ids = grown;
    }
    this.idCount += 1;
    return at;
  }
}

const changedIssue = { code: "CHANGED", message: "the file changed while it was read" } as const;

/** True if the file has a hole worth the name. */
function isSparse(records: Uint8Array, at: number): boolean {
  return storedSizeIn(records, at) + holeBytesMin <= sizeIn(records, at);
}

/** The run at `position`: a hole worth the name, or everything up to the next such hole. */
function holeAt(
  file: SourceFile,
  position: number,
  end: number,
): { isHole: boolean; length: number } {
  let at = position;
  for (;;) {
    const extent = file.extentAt(at, end);
    if (extent.kind === "hole" && extent.length >= holeBytesMin)
      return at === position
        ? { isHole: true, length: extent.length }
        : { isHole: false, length: at - position };
    if (extent.length <= 0 || extent.offset + extent.length >= end)
      return { isHole: false, length: end - position };
    at = extent.offset + extent.length;
  }
}
