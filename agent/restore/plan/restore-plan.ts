/**
 * What is to be restored, as tables in shared memory: a row for each entry (60 bytes and its name), a ref for
 * each blob of each file (16 bytes). Rows are in order of breadth, so a directory comes before its entries,
 * and the entries of one directory stand together. Row 0 is the target itself.
 *
 * The main thread fills it; when it is complete workers attach, and change nothing but states, `done` marks
 * of refs, and (between their jobs) what the main thread decides about links.
 */

import { permissionBits } from "../../repository/tree/file-mode.ts";
import type { Node, NodeType } from "../../repository/tree/node.ts";
import { ByteArena, type SharedArena } from "./byte-arena.ts";
import { decodeExtra, encodeExtra, extraBytes, type NodeExtra, noExtra } from "./node-extra.ts";
import { type SharedWords, WordTable } from "./word-table.ts";

/** Kinds of rows. */
export const rowKind = {
  file: 1,
  directory: 2,
  symlink: 3,
  dev: 4,
  chardev: 5,
  fifo: 6,
  socket: 7,
} as const;

const kindOfType: Record<NodeType, number> = {
  file: rowKind.file,
  dir: rowKind.directory,
  symlink: rowKind.symlink,
  dev: rowKind.dev,
  chardev: rowKind.chardev,
  fifo: rowKind.fifo,
  socket: rowKind.socket,
};

/** Facts about a row that the plan settles. */
export const rowFlag = {
  /** The user asked for this entry; a directory without it is only the way to others. */
  selected: 1,
  /** A directory that is selected or leads to something that is. */
  needed: 2,
  /** A directory of which not all entries are in the plan: nothing is removed from it. */
  incomplete: 4,
} as const;

/** How far the restore of a row has come. */
export const rowState = {
  /** Nothing is known to be at its place. */
  pending: 0,
  /** Something is there, and is brought up to date in place. */
  update: 1,
  /** Something is there, and gives way. */
  replace: 2,
  /** A directory that was there before. */
  existed: 3,
  /** A directory that this run makes. */
  created: 4,
  /** Left as it was, as the overwrite rule says. */
  skipped: 5,
  /** Complete, but nothing had to be written. */
  unchanged: 6,
  done: 7,
  /** Not restored; an issue says why. */
  failed: 8,
  /** Some of its data is not in the repository any more; an issue says which. */
  damaged: 9,
} as const;

const rowWords = 15;
const rowAt = {
  parent: 0,
  name: 1,
  /** Name length (8 bits), kind (8), flags (16). */
  kind: 2,
  mode: 3,
  uid: 4,
  gid: 5,
  mtime: 6,
  mtimeNs: 8,
  size: 9,
  first: 11,
  count: 12,
  extra: 13,
  link: 14,
} as const;
const stateBits = 16;

const refWords = 4;
const refAt = { entry: 0, row: 1, offset: 2 } as const;
const refDone = 0x80000000;
/** Entry of a blob that no index knows. */
export const missingEntry = 0xffffffff;

/** What a worker needs to attach. */
export interface SharedPlan {
  readonly rows: SharedWords;
  readonly refs: SharedWords;
  readonly names: SharedArena;
  readonly extras: SharedArena;
}

const slash = 0x2f;

export class RestorePlan {
  readonly #rows: WordTable;
  readonly #refs: WordTable;
  readonly #names: ByteArena;
  readonly #extras: ByteArena;

  private constructor(rows: WordTable, refs: WordTable, names: ByteArena, extras: ByteArena) {
    this.#rows = rows;
    this.#refs = refs;
    this.#names = names;
    this.#extras = extras;
  }

  /** A plan that has only its root. */
  static create(): RestorePlan {
    const arenas = [new ByteArena(), new ByteArena()];
    const plan = new RestorePlan(
      new WordTable(rowWords),
      new WordTable(refWords),
      arenas[0],
      arenas[1],
    );
    // Address 0 of extras means none.
    plan.#extras.append(new Uint8Array(1));
    plan.#rows.add();
    plan.#rows.set(0, rowAt.kind, rowKind.directory << 8);
    return plan;
  }

  static attach(shared: SharedPlan): RestorePlan {
    return new RestorePlan(
      WordTable.attach(shared.rows, rowWords),
      WordTable.attach(shared.refs, refWords),
      ByteArena.attach(shared.names),
      ByteArena.attach(shared.extras),
    );
  }

  get shared(): SharedPlan {
    return {
      rows: this.#rows.shared,
      refs: this.#refs.shared,
      names: this.#names.shared,
      extras: this.#extras.shared,
    };
  }

  /** Number of rows, the root included. */
  get rows(): number {
    return this.#rows.rows;
  }

  get refs(): number {
    return this.#refs.rows;
  }

  get sizeBytes(): number {
    const tables = this.#rows.sizeBytes + this.#refs.sizeBytes;
    return tables + this.#names.sizeBytes + this.#extras.sizeBytes;
  }

  /** Adds an entry of directory `parent`; its name has at most 255 bytes. Returns its row. */
  addRow(parent: number, node: Node, flags: number): number {
    const rows = this.#rows;
    const row = rows.add();
    rows.set(row, rowAt.parent, parent);
    rows.set(row, rowAt.name, this.#names.append(node.name));
    rows.set(row, rowAt.kind, node.name.length | (kindOfType[node.type] << 8) | (flags << 16));
    rows.set(row, rowAt.mode, permissionBits(node.mode));
    rows.set(row, rowAt.uid, node.uid);
    rows.set(row, rowAt.gid, node.gid);
    rows.setWide(row, rowAt.mtime, node.mtime.seconds);
    rows.set(row, rowAt.mtimeNs, node.mtime.nanoseconds);
    rows.setWide(row, rowAt.size, node.size);
    const extra = encodeExtra(node);
    if (extra !== undefined) rows.set(row, rowAt.extra, this.#extras.append(extra));
    return row;
  }

  /** Adds a blob of file `row` that belongs at `offset` of it. Returns its number. */
  addRef(entry: number, row: number, offset: number): number {
    const ref = this.#refs.add();
    this.#refs.set(ref, refAt.entry, entry);
    this.#refs.set(ref, refAt.row, row);
    this.#refs.setWide(ref, refAt.offset, offset);
    return ref;
  }

  parentOf(row: number): number {
    return this.#rows.get(row, rowAt.parent);
  }

  /** A view of the name in shared memory. */
  nameOf(row: number): Uint8Array {
    const length = this.#rows.get(row, rowAt.kind) & 0xff;
    return this.#names.view(this.#rows.get(row, rowAt.name), length);
  }

  kindOf(row: number): number {
    return (this.#rows.get(row, rowAt.kind) >>> 8) & 0xff;
  }

  hasFlag(row: number, flag: number): boolean {
    return ((this.#rows.get(row, rowAt.kind) >>> 16) & flag) !== 0;
  }

  setFlag(row: number, flag: number): void {
    this.#rows.set(row, rowAt.kind, (this.#rows.get(row, rowAt.kind) | (flag << 16)) >>> 0);
  }

  /** Permission bits 0 … 07777. */
  permissionsOf(row: number): number {
    return this.#rows.get(row, rowAt.mode) & 0o7777;
  }

  stateOf(row: number): number {
    return this.#rows.get(row, rowAt.mode) >>> stateBits;
  }

  setState(row: number, state: number): void {
    const permissions = this.#rows.get(row, rowAt.mode) & 0o7777;
    this.#rows.set(row, rowAt.mode, permissions | (state << stateBits));
  }

  uidOf(row: number): number {
    return this.#rows.get(row, rowAt.uid);
  }

  gidOf(row: number): number {
    return this.#rows.get(row, rowAt.gid);
  }

  secondsOf(row: number): number {
    return this.#rows.getWide(row, rowAt.mtime);
  }

  nanosecondsOf(row: number): number {
    return this.#rows.get(row, rowAt.mtimeNs);
  }

  /** Bytes of a file. */
  sizeOf(row: number): number {
    return this.#rows.getWide(row, rowAt.size);
  }

  setSize(row: number, size: number): void {
    this.#rows.setWide(row, rowAt.size, size);
  }

  /** First ref of a file, first entry of a directory. */
  firstOf(row: number): number {
    return this.#rows.get(row, rowAt.first);
  }

  /** Number of refs of a file, of entries of a directory. */
  countOf(row: number): number {
    return this.#rows.get(row, rowAt.count);
  }

  setRange(row: number, first: number, count: number): void {
    this.#rows.set(row, rowAt.first, first);
    this.#rows.set(row, rowAt.count, count);
  }

  /** The row that this one becomes a further name of, or -1. */
  linkOf(row: number): number {
    return this.#rows.get(row, rowAt.link) - 1;
  }

  setLink(row: number, leader: number): void {
    this.#rows.set(row, rowAt.link, leader + 1);
  }

  extraOf(row: number): NodeExtra {
    const address = this.#rows.get(row, rowAt.extra);
    if (address === 0) return noExtra;
    const length = extraBytes(this.#extras.view(address, 4));
    return decodeExtra(this.#extras.view(address, length));
  }

  /** False for a row whose `extraOf` says nothing. */
  hasExtra(row: number): boolean {
    return this.#rows.get(row, rowAt.extra) !== 0;
  }

  /** Entry of the blob in the blob table, or `missingEntry`. */
  entryOf(ref: number): number {
    return this.#refs.get(ref, refAt.entry);
  }

  rowOf(ref: number): number {
    return this.#refs.get(ref, refAt.row) & ~refDone;
  }

  setRowOf(ref: number, row: number): void {
    this.#refs.set(ref, refAt.row, row);
  }

  /** True if these bytes are in place already. */
  isRefDone(ref: number): boolean {
    return (this.#refs.get(ref, refAt.row) & refDone) !== 0;
  }

  markRefDone(ref: number, isDone: boolean): void {
    const row = this.rowOf(ref);
    this.#refs.set(ref, refAt.row, isDone ? (row | refDone) >>> 0 : row);
  }

  /** Where the blob begins in its file. */
  offsetOf(ref: number): number {
    return this.#refs.getWide(ref, refAt.offset);
  }

  /** Path below the target, raw bytes, without a slash at the beginning. */
  pathOf(row: number): Uint8Array {
    const names: Uint8Array[] = [];
    for (let at = row; at !== 0; at = this.parentOf(at)) names.push(this.nameOf(at));
    const length = names.reduce((sum, name) => sum + name.length + 1, 0);
    const path = new Uint8Array(Math.max(0, length - 1));
    let end = 0;
    for (const name of names.reverse()) {
      if (end > 0) path[end++] = slash;
      path.set(name, end);
      end += name.length;
    }
    return path;
  }
}
