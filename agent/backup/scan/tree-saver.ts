/** Makes the tree of a finished directory: its bytes, its id, its catalog block; and stores it if it is new. */

import type { Codec } from "../../../platform/ports/codec.ts";
import type { SourceDirectory, SourceFiles } from "../../../platform/ports/source-files.ts";
import { FileError } from "../../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { blobBytesMax } from "../../repository/blob/blob-opener.ts";
import type { EncodedBytes } from "../../repository/encoded-bytes.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { packedBlobBytesMax } from "../../repository/pack/pack-assembler.ts";
import { ByteWriter } from "../../repository/tree/byte-writer.ts";
import { RecordNodeEncoder, type RecordNodeFields } from "../../repository/tree/node-encoder.ts";
import { TreeEncoder } from "../../repository/tree/tree-encoder.ts";
import { entryFlags } from "../catalog/catalog-format.ts";
import type { CatalogEntry, CatalogWriter } from "../catalog/catalog-writer.ts";
import type { PackExchange } from "../seal/pack-exchange.ts";
import { deviceNumberOf, isHardLinked, isSameDevice } from "./device-numbers.ts";
import { type DirectoryState, entryKind } from "./directory-state.ts";
import { joinPath } from "./scan-report.ts";

const none = new Uint8Array(0);
const firstBytes = 256 * 1024;
/** A larger buffer is not kept. */
const keptBytesMax = 4 * 1024 * 1024;
/** What follows the last node. */
const treeEndBytes = 3;
/** Pieces in which the tree of a very large directory goes on. */
const drainedBytes = 1024 * 1024;

export interface SavedTree {
  /** 32 bytes. */
  readonly id: Uint8Array;
  /** Offset of the directory's catalog block. */
  readonly block: number;
  /** True if the previous run had the same tree. */
  readonly isSame: boolean;
}

export class TreeSaver {
  readonly #codec: Codec;
  readonly #table: BlobTable;
  readonly #packs: PackExchange;
  readonly #catalog: CatalogWriter | undefined;
  readonly #encoder: RecordNodeEncoder;
  readonly #onIssue: (state: DirectoryState, index: number, error: FileError) => void;
  #out = new ByteWriter(firstBytes);
  readonly #fields: RecordNodeFields = {
    nameBytes: none,
    nameStart: 0,
    nameEnd: 0,
    record: none,
    recordOffset: 0,
    size: 0,
    deviceId: 0,
    content: null,
    contentStart: 0,
    contentEnd: 0,
    subtree: null,
    subtreeOffset: 0,
  };
  readonly #entry: CatalogEntry = {
    record: none,
    recordOffset: 0,
    child: 0,
    ids: none,
    idsStart: 0,
    idsEnd: 0,
    name: none,
    nameStart: 0,
    nameEnd: 0,
    flags: 0,
  };

  constructor(parts: {
    codec: Codec;
    table: BlobTable;
    packs: PackExchange;
    catalog: CatalogWriter | undefined;
    files: SourceFiles;
    onIssue: (state: DirectoryState, index: number, error: FileError) => void;
  }) {
    this.#codec = parts.codec;
    this.#table = parts.table;
    this.#packs = parts.packs;
    this.#catalog = parts.catalog;
    this.#encoder = new RecordNodeEncoder(parts.files);
    this.#onIssue = parts.onIssue;
  }

  /** Saves a directory all of whose entries are done. DIRECTORY_TOO_LARGE, with nothing saved, if no reader could take its tree. */
  save(state: DirectoryState): SavedTree {
    const reused = this.#unchangedTree(state);
    const id = reused ?? this.#storeTree(state);
    return { id, block: this.#writeBlock(state, id), isSame: reused !== undefined };
  }

  /** The previous run's tree, if nothing in the directory differs and the repository still has it. */
  #unchangedTree(state: DirectoryState): Uint8Array | undefined {
    const { old } = state;
    if (old === undefined || state.isChanged) return undefined;
    return this.#table.find(old.treeId, 0, true) < 0 ? undefined : old.treeId;
  }

  /** Makes the tree and stores it if it is new. One that is too long to be held goes its way piece by piece. */
  #storeTree(state: DirectoryState): Uint8Array {
    const out = this.#out;
    out.length = 0;
    const tree = new TreeEncoder(out);
    let large: EncodedBytes | undefined;
    let heldBytesMax = packedBlobBytesMax - treeEndBytes;
    tree.begin();
    for (let index = 0; index < state.count; index += 1) {
      if (state.kinds[index] === entryKind.absent) continue;
      if (!this.#completeExtras(state, index)) continue;
      this.#fill(state, index);
      tree.addRecord(this.#encoder, this.#fields);
      if (out.length <= heldBytesMax) continue;
      large ??= this.#packs.startLargeTree();
      this.#drain(large, state);
      heldBytesMax = drainedBytes;
    }
    tree.end();
    if (large === undefined) {
      const id = new Uint8Array(32);
      this.#codec.sha256(out.bytes, 0, out.length, id, 0);
      this.#packs.store(out.bytes, 0, out.length, id, 0, true);
      return id;
    }
    this.#drain(large, state);
    if (out.bytes.length > keptBytesMax) this.#out = new ByteWriter(firstBytes);
    large.finish();
    this.#packs.storeLargeTree(large);
    return large.id;
  }

  #drain(large: EncodedBytes, state: DirectoryState): void {
    const out = this.#out;
    if (large.plainLength + out.length > blobBytesMax)
      throw new BackstayError("DIRECTORY_TOO_LARGE", {
        directory: Buffer.from(state.path).toString(),
        entries: state.count,
      });
    large.add(out.bytes, 0, out.length);
    out.length = 0;
  }

  /**
   * Link target and attributes, where the entry has them and the reading of content did not bring them. False if the
   * entry can't be stored.
   */
  #completeExtras(state: DirectoryState, index: number): boolean {
    const { directory } = state;
    const type = state.modeOf(index) & modeType.mask;
    if (directory === undefined) return true;
    try {
      if (type === modeType.symlink) {
        const extras = state.extrasOf(index);
        extras.linkTarget ??= directory.readLink(state.nameOf(index));
      }
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      state.kinds[index] = entryKind.absent;
      this.#onIssue(state, index, error);
      return false;
    }
    const isUnknown = state.hasAttributes[index] === 1 || type !== modeType.file;
    if (isUnknown && state.extras.get(index)?.attributes === undefined)
      this.#addAttributes(directory, state, index);
    return true;
  }

  /** What is known of an entry is not given up for its attributes. */
  #addAttributes(directory: SourceDirectory, state: DirectoryState, index: number): void {
    try {
      const list = directory.extendedAttributes(state.nameOf(index));
      if (list.length > 0) state.extrasOf(index).attributes = list;
      state.hasAttributes[index] = list.length > 0 ? 1 : 0;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      state.distrust(index);
      this.#onIssue(state, index, error);
    }
  }

  #fill(state: DirectoryState, index: number): void {
    const fields = this.#fields;
    const at = index * statRecordBytes;
    const kind = state.kinds[index];
    const extras = state.extras.get(index);
    fields.nameBytes = state.names;
    fields.nameStart = state.offsets[index];
    fields.nameEnd = state.offsets[index + 1];
    fields.record = state.records;
    fields.recordOffset = at;
    fields.size = state.sizes[index];
    fields.deviceId = deviceIdOf(state, index);
    fields.linkTarget = extras?.linkTarget;
    fields.attributes = extras?.attributes;
    fields.content = kind === entryKind.file ? state.ids : null;
    fields.contentStart = state.idsStart(index);
    fields.contentEnd = state.idsEnd(index);
    fields.subtree = kind === entryKind.directory ? state.ids : null;
    fields.subtreeOffset = state.idsStart(index);
  }

  #writeBlock(state: DirectoryState, treeId: Uint8Array): number {
    const catalog = this.#catalog;
    if (catalog === undefined) return 0;
    const entry = this.#entry;
    catalog.begin();
    for (let index = 0; index < state.count; index += 1) {
      if (state.kinds[index] === entryKind.absent) continue;
      this.#setRecord(state, index);
      entry.child = state.childBlocks[index];
      entry.ids = state.ids;
      entry.idsStart = state.idsStart(index);
      entry.idsEnd = state.idsEnd(index);
      entry.name = state.names;
      entry.nameStart = state.offsets[index];
      entry.nameEnd = state.offsets[index + 1];
      entry.flags = state.hasAttributes[index] === 1 ? entryFlags.attributes : 0;
      catalog.add(entry);
    }
    return catalog.end(treeId);
  }

  /** The record that the next run compares with; one that nothing equals where the next run is to look again. */
  #setRecord(state: DirectoryState, index: number): void {
    const entry = this.#entry;
    const at = index * statRecordBytes;
    if (!state.isDistrusted(index)) {
      entry.record = state.records;
      entry.recordOffset = at;
      return;
    }
    const record = state.records.slice(at, at + statRecordBytes);
    record.fill(0xff, statAt.ctime, statAt.ctime + 8);
    entry.record = record;
    entry.recordOffset = 0;
  }
}

/** Only where there are several links: with the inode it says which entries are one file. */
function deviceIdOf(state: DirectoryState, index: number): number {
  const at = index * statRecordBytes;
  if (!isHardLinked(state.records, at)) return 0;
  // A file that is mounted over another one lies elsewhere than its directory.
  return isSameDevice(state.records, at, state.record, 0)
    ? state.device
    : deviceNumberOf(joinPath(state.path, state.nameOf(index)));
}
