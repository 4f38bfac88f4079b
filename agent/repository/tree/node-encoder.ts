/**
 * The JSON of one node, byte for byte as Go's encoder (and so restic) writes it. `RecordNodeEncoder` is
 * the way of the backup, from binary stat records; `encodeNode` the way of everything else.
 */
import { modeType, statAt } from "../../../platform/ports/stat-record.ts";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { goJsonString } from "../json/go-string.ts";
import { utf8Bytes, utf8Text } from "../json/utf8.ts";
import { ByteWriter, writeHex } from "./byte-writer.ts";
import { writeDecimal, writeDecimalU64 } from "./decimal.ts";
import { goFileMode, nodeTypeOf } from "./file-mode.ts";
import { nameExpansion, writeJsonName } from "./go-quote.ts";
import type { Node, NodeAttribute, NodeTime, NodeType } from "./node.ts";
import { writeAttributes, writeIds, writeLinkTarget, writeOwner } from "./node-fields.ts";
import { timeBytes, writeTime } from "./rfc3339.ts";
import { putSnippet, type Snippet, snippet, snippetSlackBytes } from "./snippet.ts";

const nameField = snippet('{"name":"');
const atimeField = snippet('","atime":"');
const ctimeField = snippet('","ctime":"');
const inodeField = snippet(',"inode":');
const deviceIdField = snippet(',"device_id":');
const sizeField = snippet(',"size":');
const linksField = snippet(',"links":');
const deviceField = snippet(',"device":');
const contentField = snippet(',"content":["');
const emptyContent = snippet(',"content":[]}');
const subtreeField = snippet(',"content":null,"subtree":"');
const noContent = snippet(',"content":null}');
const idsBetween = snippet('","');
const contentEnd = snippet('"]}');
const subtreeEnd = snippet('"}');

const typeFields: Readonly<Record<NodeType, Snippet>> = {
  file: snippet('","type":"file"'),
  dir: snippet('","type":"dir"'),
  symlink: snippet('","type":"symlink"'),
  dev: snippet('","type":"dev"'),
  chardev: snippet('","type":"chardev"'),
  fifo: snippet('","type":"fifo"'),
  socket: snippet('","type":"socket"'),
};
const modeField = snippet(',"mode":');
const mtimeField = snippet(',"mtime":"');
const lowWord = 0xffffffffn;

/** Appends the JSON of a node. Numbers must be in the ranges of `Node`, ids whole. */
export function encodeNode(out: ByteWriter, node: Node): void {
  put(out, nameField);
  out.ensure(node.name.length * nameExpansion);
  out.length = writeJsonName(out.bytes, out.length, node.name, 0, node.name.length);
  put(out, typeFields[node.type]);
  if (node.mode !== 0) putNumber(out, modeField, node.mode);
  encodeTime(out, mtimeField, node.mtime);
  encodeTime(out, atimeField, node.atime);
  encodeTime(out, ctimeField, node.ctime);
  out.byte(0x22);
  writeOwner(out, node.uid, node.gid, node.user, node.group);
  putWide(out, inodeField, node.inode);
  putWide(out, deviceIdField, node.deviceId);
  if (node.size !== 0) putNumber(out, sizeField, node.size);
  putWide(out, linksField, node.links);
  writeLinkTarget(out, node.linkTarget);
  writeAttributes(out, node.attributes);
  if (node.genericAttributes !== undefined) encodeGeneric(out, node.genericAttributes);
  putWide(out, deviceField, node.device);
  if (node.content === null) {
    out.ascii(',"content":null');
  } else {
    out.ascii(',"content":[');
    writeIds(out, node.content, 0, node.content.length);
    out.byte(0x5d);
  }
  if (node.subtree !== null) {
    out.ascii(',"subtree":"');
    out.hex(node.subtree, 0, 32);
    out.byte(0x22);
  }
  out.byte(0x7d);
}

function put(out: ByteWriter, piece: Snippet): void {
  out.ensure(piece.length + snippetSlackBytes);
  out.length = putSnippet(out.view, out.length, piece);
}

function putNumber(out: ByteWriter, field: Snippet, value: number): void {
  put(out, field);
  out.decimal(value);
}

/** A number of 64 bits, nothing if it is 0. */
function putWide(out: ByteWriter, field: Snippet, value: bigint): void {
  if (value === 0n) return;
  put(out, field);
  out.decimalU64(Number(value & lowWord), Number(value >> 32n));
}

function encodeTime(out: ByteWriter, before: Snippet, time: NodeTime): void {
  put(out, before);
  out.ensure(timeBytes);
  out.length = writeTime(out.view, out.length, time.seconds, time.nanoseconds);
}

function encodeGeneric(out: ByteWriter, attributes: ReadonlyMap<string, string>): void {
  if (attributes.size === 0) return;
  // Go sorts keys by their bytes.
  const keys = [...attributes.keys()].sort((a, b) => Buffer.compare(utf8Bytes(a), utf8Bytes(b)));
  let before = ',"generic_attributes":{';
  for (const key of keys) {
    out.ascii(before);
    out.raw(goJsonString(key));
    out.byte(0x3a);
    out.raw(utf8Bytes(attributes.get(key) ?? "null"));
    before = ",";
  }
  out.byte(0x7d);
}

/** Names of users and groups of this system; empty where there is none. Asked once per id. */
export interface OwnerNames {
  userName(uid: number): string;
  groupName(gid: number): string;
}

/** What a node is written from. The caller keeps one of these and fills it anew for each node. */
export interface RecordNodeFields {
  /** The raw name is `nameBytes[nameStart … nameEnd)`. */
  nameBytes: Uint8Array;
  nameStart: number;
  nameEnd: number;
  /** A stat record (platform/ports/stat-record.ts) lies at `recordOffset`. */
  record: Uint8Array;
  recordOffset: number;
  /** Bytes really read of a file; not looked at for anything else. */
  size: number;
  /** Number of the file system, 0 to leave it out. A safe integer. */
  deviceId: number;
  /** Raw target of a symlink. */
  linkTarget?: Uint8Array | undefined;
  attributes?: readonly NodeAttribute[] | undefined;
  /** Ids of a file's blobs, 32 bytes each, are `content[contentStart … contentEnd)`; null for others. */
  content: Uint8Array | null;
  contentStart: number;
  contentEnd: number;
  /** Id of a directory's tree, 32 bytes at `subtreeOffset`; null for others. */
  subtree: Uint8Array | null;
  subtreeOffset: number;
}

/** More than everything that a node holds besides its name, owner, target, attributes and ids. */
const fixedBytes = 512 + snippetSlackBytes;
const idJsonBytes = 67;
/** More than what stands around the ids at the end of a node. */
const endBytes = 96 + snippetSlackBytes;
const wordValues = 4294967296;

/** Encodes nodes straight from stat records: no object and no string a node. */
export class RecordNodeEncoder {
  readonly #names: OwnerNames;
  /** `","type":"…","mode":…,"mtime":"` by st_mode. */
  readonly #modes = new Map<number, Snippet>();
  /** Fields of the owner by uid, then gid. */
  readonly #owners = new Map<number, Map<number, Snippet>>();
  #lastMode = -1;
  #lastModeFields = nameField;
  #lastUid = -1;
  #lastGid = -1;
  #lastOwnerFields = nameField;

  constructor(names: OwnerNames) {
    this.#names = names;
  }

  /**
   * Appends the JSON of a node. atime is written as mtime. Throws BackstayError INTERNAL if a file comes
   * without content, a directory without subtree, or a record of no known type.
   */
  encode(out: ByteWriter, fields: RecordNodeFields): void {
    const record = fields.record;
    const base = fields.recordOffset;
    const stMode = readU32(record, base + statAt.mode);
    const type = stMode & modeType.mask;
    this.#selectMode(stMode);
    this.#selectOwner(readU32(record, base + statAt.uid), readU32(record, base + statAt.gid));
    const nameBytes = fields.nameEnd - fields.nameStart;
    out.ensure(fixedBytes + nameBytes * nameExpansion + this.#lastOwnerFields.length);
    const view = out.view;
    let at = this.#writeHead(out, fields);
    if (fields.deviceId !== 0) {
      at = writeDecimal(view, putSnippet(view, at, deviceIdField), fields.deviceId);
    }
    if (type === modeType.file && fields.size !== 0) {
      at = writeDecimal(view, putSnippet(view, at, sizeField), fields.size);
    }
    if (type !== modeType.directory) {
      const links = readU32(record, base + statAt.links);
      // restic writes none for fifos and sockets, so only those are told that a restore needs to know.
      const isTold = type === modeType.fifo || type === modeType.socket ? links > 1 : links !== 0;
      if (isTold) at = writeDecimal(view, putSnippet(view, at, linksField), links);
    }
    out.length = at;
    if (type === modeType.symlink && fields.linkTarget !== undefined) {
      writeLinkTarget(out, fields.linkTarget);
    }
    if (fields.attributes !== undefined) writeAttributes(out, fields.attributes);
    if (type === modeType.file) writeContent(out, fields);
    else if (type === modeType.directory) writeSubtree(out, fields);
    else writeOther(out, type, record, base + statAt.rdev);
  }

  /** Everything up to the inode; returns the place after it. */
  #writeHead(out: ByteWriter, fields: RecordNodeFields): number {
    const view = out.view;
    const record = fields.record;
    const base = fields.recordOffset;
    let at = putSnippet(view, out.length, nameField);
    at = writeJsonName(out.bytes, at, fields.nameBytes, fields.nameStart, fields.nameEnd);
    const mtimeStart = putSnippet(view, at, this.#lastModeFields);
    const mtime = readI64(record, base + statAt.mtime);
    const mtimeEnd = writeTime(view, mtimeStart, mtime, readU32(record, base + statAt.mtimeNs));
    at = putSnippet(view, mtimeEnd, atimeField);
    for (let from = mtimeStart; from < mtimeEnd; from += 8) {
      view.setFloat64(at + from - mtimeStart, view.getFloat64(from));
    }
    at = putSnippet(view, at + mtimeEnd - mtimeStart, ctimeField);
    const ctime = readI64(record, base + statAt.ctime);
    at = writeTime(view, at, ctime, readU32(record, base + statAt.ctimeNs));
    at = putSnippet(view, at, this.#lastOwnerFields);
    const low = readU32(record, base + statAt.inode);
    const high = readU32(record, base + statAt.inode + 4);
    if (low === 0 && high === 0) return at;
    return writeDecimalU64(view, putSnippet(view, at, inodeField), low, high);
  }

  #selectMode(stMode: number): void {
    if (stMode === this.#lastMode) return;
    let fields = this.#modes.get(stMode);
    if (fields === undefined) {
      const type = nodeTypeOf(stMode);
      if (type === undefined) {
        throw new BackstayError("INTERNAL", { problem: "no node type", mode: stMode });
      }
      const mode = goFileMode(stMode);
      const modeField = mode === 0 ? "" : `,"mode":${mode}`;
      fields = snippet(`","type":"${type}"${modeField},"mtime":"`);
      this.#modes.set(stMode, fields);
    }
    this.#lastMode = stMode;
    this.#lastModeFields = fields;
  }

  #selectOwner(uid: number, gid: number): void {
    if (uid === this.#lastUid && gid === this.#lastGid) return;
    let groups = this.#owners.get(uid);
    if (groups === undefined) {
      groups = new Map();
      this.#owners.set(uid, groups);
    }
    let fields = groups.get(gid);
    if (fields === undefined) {
      const text = new ByteWriter(128);
      text.byte(0x22);
      writeOwner(text, uid, gid, this.#names.userName(uid), this.#names.groupName(gid));
      fields = snippet(utf8Text(text.written()));
      groups.set(gid, fields);
    }
    this.#lastUid = uid;
    this.#lastGid = gid;
    this.#lastOwnerFields = fields;
  }
}

function writeContent(out: ByteWriter, fields: RecordNodeFields): void {
  const content = fields.content;
  if (content === null) throw new BackstayError("INTERNAL", { problem: "file without content" });
  const ids = (fields.contentEnd - fields.contentStart) >>> 5;
  out.ensure(ids * idJsonBytes + endBytes);
  const view = out.view;
  if (ids === 0) {
    out.length = putSnippet(view, out.length, emptyContent);
    return;
  }
  let at = putSnippet(view, out.length, contentField);
  at = writeHex(view, at, content, fields.contentStart, 32);
  for (let id = fields.contentStart + 32; id < fields.contentEnd; id += 32) {
    at = writeHex(view, putSnippet(view, at, idsBetween), content, id, 32);
  }
  out.length = putSnippet(view, at, contentEnd);
}

function writeSubtree(out: ByteWriter, fields: RecordNodeFields): void {
  const subtree = fields.subtree;
  if (subtree === null) {
    throw new BackstayError("INTERNAL", { problem: "directory without subtree" });
  }
  out.ensure(idJsonBytes + endBytes);
  const view = out.view;
  let at = putSnippet(view, out.length, subtreeField);
  at = writeHex(view, at, subtree, fields.subtreeOffset, 32);
  out.length = putSnippet(view, at, subtreeEnd);
}

function writeOther(out: ByteWriter, type: number, record: Uint8Array, rdevAt: number): void {
  out.ensure(endBytes);
  const view = out.view;
  let at = out.length;
  const low = readU32(record, rdevAt);
  const high = readU32(record, rdevAt + 4);
  const isDevice = type === modeType.blockDevice || type === modeType.charDevice;
  if (isDevice && (low !== 0 || high !== 0)) {
    at = writeDecimalU64(view, putSnippet(view, at, deviceField), low, high);
  }
  out.length = putSnippet(view, at, noContent);
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function readI64(bytes: Uint8Array, at: number): number {
  return (readU32(bytes, at + 4) | 0) * wordValues + readU32(bytes, at);
}
