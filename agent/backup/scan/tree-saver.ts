/** Makes the tree of a finished directory: its bytes, its id, its catalog block; and stores it if it is new. */

import type { Codec } from "../../../platform/ports/codec.ts";
import type { SourceFiles } from "../../../platform/ports/source-files.ts";
import { FileError } from "../../../platform/ports/source-files.ts";
import { modeType, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { ByteWriter } from "../../repository/tree/byte-writer.ts";
import { RecordNodeEncoder, type RecordNodeFields } from "../../repository/tree/node-encoder.ts";
import { TreeEncoder } from "../../repository/tree/tree-encoder.ts";
import { entryFlags } from "../catalog/catalog-format.ts";
import type { CatalogEntry, CatalogWriter } from "../catalog/catalog-writer.ts";
import type { PackExchange } from "../seal/pack-exchange.ts";
import { DeviceNumbers } from "./device-numbers.ts";
import { type DirectoryState, entryKind } from "./directory-state.ts";

const none = new Uint8Array(0);
/** The buffer of a very large directory's tree is not kept. */
const keptBytesMax = 16 * 1024 * 1024;

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
  readonly #devices = new DeviceNumbers();
  readonly #onIssue: (state: DirectoryState, index: number, error: FileError) => void;
  #out = new ByteWriter(256 * 1024);
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

  /** Saves a directory all of whose entries are done. */
  save(state: DirectoryState): SavedTree {
    const reused = this.#unchangedTree(state);
    const id = reused ?? this.#storeTree(state);
    return { id, block: this.#writeBlock(state, id), isSame: reused !== undefined };
  }

  /** The previous run's tree, if nothing in the directory differs and the repository still has it. */
  #unchangedTree(state: DirectoryState): Uint8Array | undefined {
    const { old } = state;
    if (old === undefined || state.isChanged) return undefined;
    if (this.#table.find(old.bytes, old.treeIdAt, true) < 0) return undefined;
    return Uint8Array.from(old.bytes.subarray(old.treeIdAt, old.treeIdAt + 32));
  }

  #storeTree(state: DirectoryState): Uint8Array {
    const out = this.#out;
    out.length = 0;
    const tree = new TreeEncoder(out);
    tree.begin();
    for (let index = 0; index < state.count; index += 1) {
      if (state.kinds[index] === entryKind.absent) continue;
      if (!this.#completeExtras(state, index)) continue;
      this.#fill(state, index);
      tree.addRecord(this.#encoder, this.#fields);
    }
    tree.end();
    const id = new Uint8Array(32);
    this.#codec.sha256(out.bytes, 0, out.length, id, 0);
    this.#packs.store(out.bytes, 0, out.length, id, 0, true);
    if (out.bytes.length > keptBytesMax) this.#out = new ByteWriter(256 * 1024);
    return id;
  }

  /** Link target and attributes, where the entry has them and the reading of content did not bring them. */
  #completeExtras(state: DirectoryState, index: number): boolean {
    const { directory } = state;
    const type = state.modeOf(index) & modeType.mask;
    if (directory === undefined) return true;
    try {
      if (type === modeType.symlink) {
        const extras = state.extrasOf(index);
        extras.linkTarget ??= directory.readLink(state.nameOf(index));
      }
      const isUnknown = state.hasAttributes[index] === 1 || type !== modeType.file;
      if (isUnknown && state.extras.get(index)?.attributes === undefined) {
        const list = directory.extendedAttributes(state.nameOf(index));
        if (list.length > 0) state.extrasOf(index).attributes = list;
        state.hasAttributes[index] = list.length > 0 ? 1 : 0;
      }
      return true;
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      state.kinds[index] = entryKind.absent;
      this.#onIssue(state, index, error);
      return false;
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
    fields.deviceId = this.#devices.ofHardLink(state.records, at);
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
      entry.record = state.records;
      entry.recordOffset = index * statRecordBytes;
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
}
