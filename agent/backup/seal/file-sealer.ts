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
import { fileBytesMax } from "../work/read-work.ts";
import { sizeIn, storedSizeIn } from "../work/record-size.ts";
import { hasJustChanged, isSameContent } from "../work/same-record.ts";
import { counterAt, type SessionMemory } from "../work/session-memory.ts";
import type { PackExchange } from "./pack-exchange.ts";

/** Room for the two largest chunks, which are hashed side by side. */
export const bufferBytes = 2 * chunkBytesMax;
/** Read at once: what lies beyond is touched only where chunks are long, and so takes no memory as a rule. */
const readBytes = 4 * 1024 * 1024;
/** Shorter holes are read like data: cutting at each would make crumbs. */
const holeBytesMin = 1024 * 1024;

/** A file that goes on beyond its size is followed this far, and once as far again as it was long. */
const growthBytesMax = 64 * 1024 * 1024;

/** What became of one file. `ids` of the sealer hold its blob ids. */
export interface SealedFile {
  isRead: boolean;
  /** Bytes stored. */
  size: number;
  issue: { code: string; message: string } | undefined;
  /** True if it had changed so shortly before that one more change may not show in its times. */
  isFresh: boolean;
}

/** Where blobs go. */
export type BlobSink = Pick<PackExchange, "store">;

export class FileSealer {
  readonly #files: SourceFiles;
  readonly #codec: Codec;
  readonly #chunker: GearChunker;
  readonly #packs: BlobSink;
  readonly #counters: Float64Array;
  readonly #memory: SessionMemory;
  readonly #slots: ReadSlots;
  readonly #buffer: Uint8Array;
  readonly #after = new Uint8Array(statRecordBytes);
  #zeros: Uint8Array | undefined;
  readonly #zeroId = new Uint8Array(32);
  /** Ids of the blobs of the current work item, 32 bytes each. */
  ids = new Uint8Array(32 * 256);
  idCount = 0;

  constructor(parts: {
    files: SourceFiles;
    codec: Codec;
    /** With room for `bufferBytes`. */
    chunker: GearChunker;
    packs: BlobSink;
    counters: Float64Array;
    memory: SessionMemory;
    slots: ReadSlots;
  }) {
    this.#files = parts.files;
    this.#codec = parts.codec;
    this.#chunker = parts.chunker;
    this.#buffer = parts.chunker.bytes;
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
      const size = this.#sealWhole(file, records, at);
      const isSame = isSameContent(records, at, this.#after, 0);
      this.#counters[counterAt.filesDone] += 1;
      return this.#sealed(file, size, isSame, attributesOf);
    } catch (error) {
      return this.#unreadable(error, firstId);
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
      const size = range.isLast
        ? this.#sealToEnd(file, range.start, record, 0)
        : this.#sealBytes(file, range.start, range.end, isSparse(record, 0));
      file.stat(this.#after, 0);
      const isSame = isSameContent(record, 0, this.#after, 0);
      if (range.isLast) this.#counters[counterAt.filesDone] += 1;
      return this.#sealed(file, size, isSame, range.isLast ? attributesOf : nothing);
    } catch (error) {
      return this.#unreadable(error, firstId);
    } finally {
      file?.close();
    }
  }

  #sealed(
    file: SourceFile,
    size: number,
    isSame: boolean,
    attributesOf: (file: SourceFile) => void,
  ): SealedFile {
    const isFresh = hasJustChanged(this.#after);
    const issue = isSame ? undefined : changedIssue;
    try {
      attributesOf(file);
      return { isRead: true, size, issue, isFresh };
    } catch (error) {
      // Its content is not given up for its attributes.
      if (!(error instanceof FileError)) throw error;
      return { isRead: true, size, issue: issue ?? issueOf(error), isFresh };
    }
  }

  #unreadable(error: unknown, firstId: number): SealedFile {
    if (!(error instanceof FileError)) throw error;
    this.idCount = firstId;
    return { isRead: false, size: 0, issue: issueOf(error), isFresh: false };
  }

  /** Returns the bytes stored; `#after` then tells how the file was at the end. */
  #sealWhole(file: SourceFile, records: Uint8Array, at: number): number {
    for (let attempt = 0; sizeIn(records, at) <= chunkBytesMin; attempt += 1) {
      const expected = sizeIn(records, at);
      // A file of no size may hold something all the same, where a file system learns sizes late.
      const size = this.#read(file, 0, expected === 0 ? chunkBytesMin : expected, 0);
      file.stat(this.#after, 0);
      const isSame = isSameContent(records, at, this.#after, 0);
      if (isSame && expected === 0 && size === chunkBytesMin) break;
      if (isSame || attempt > 0) {
        if (size > 0) this.#sealBlob(0, size);
        this.#counters[counterAt.bytesDone] += size;
        return size;
      }
      // It changed between scan and reading, or now: the second look tells.
      records.set(this.#after, at);
    }
    file.stat(this.#after, 0);
    records.set(this.#after, at);
    const size = this.#sealToEnd(file, 0, records, at);
    file.stat(this.#after, 0);
    return size;
  }

  /**
   * Chunks everything from `start` on. `records[at]` is how the file was: one that grows as fast as it is read is left
   * at some point, one whose file system told a wrong size is read to its end.
   */
  #sealToEnd(file: SourceFile, start: number, records: Uint8Array, at: number): number {
    const isHoley = isSparse(records, at);
    const known = sizeIn(records, at);
    let end = known + Math.max(known, growthBytesMax);
    let position = start;
    for (;;) {
      position += this.#sealBytes(file, position, end, isHoley);
      if (position < end) return position - start;
      file.stat(this.#after, 0);
      if (!isSameContent(records, at, this.#after, 0)) return position - start;
      if (position > fileBytesMax) throw new FileError("EFBIG", "pread", "it never ends");
      end *= 2;
    }
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
      const cut = this.#cut(from, filled, isAtEnd);
      const next = cut === undefined ? undefined : this.#cut(cut, filled, isAtEnd);
      if (cut === undefined || (next === undefined && filled - from < bufferBytes)) {
        buffer.copyWithin(0, from, filled);
        filled -= from;
        from = 0;
        const wanted = Math.min(readBytes, bufferBytes - filled, end - position);
        const read = wanted === 0 ? 0 : this.#read(file, filled, wanted, position);
        filled += read;
        position += read;
        isAtEnd = read < wanted || position === end;
        continue;
      }
      if (from === filled) return position - start;
      const sealed = this.#sealNext(from, cut, next ?? cut);
      this.#counters[counterAt.bytesDone] += sealed - from;
      from = sealed;
      this.#memory.assertRunning();
    }
  }

  /** End of the chunk that begins at `from`; undefined if more of the file must be seen to know it. */
  #cut(from: number, filled: number, isAtEnd: boolean): number | undefined {
    const cut = this.#chunker.cut(from, filled);
    return cut < filled || isAtEnd || filled - from >= chunkBytesMax ? cut : undefined;
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

  /** Seals the chunk `[from, cut)` and, if there is one, `[cut, end)`, hashed side by side; returns where they end. */
  #sealNext(from: number, cut: number, end: number): number {
    if (cut === end) {
      this.#sealBlob(from, cut - from);
      return cut;
    }
    const buffer = this.#buffer;
    const idAt = this.#nextId();
    const nextIdAt = this.#nextId();
    const hash = this.#codec.startSha256();
    hash.updateBeside(buffer, from, cut - from, buffer, cut, end - cut, this.ids, nextIdAt);
    hash.finish(this.ids, idAt);
    this.#packs.store(buffer, from, cut - from, this.ids, idAt, false);
    this.#packs.store(buffer, cut, end - cut, this.ids, nextIdAt, false);
    return end;
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
      this.#memory.assertRunning();
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

function issueOf(error: FileError): { code: string; message: string } {
  return { code: error.code, message: error.message };
}

const nothing = (): void => undefined;

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
