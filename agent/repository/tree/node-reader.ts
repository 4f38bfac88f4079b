/** Reads one node of a tree's JSON; the hot part of everything that walks a snapshot. */
import { asciiText, type JsonCursor } from "../json/json-cursor.ts";
import { readHexId } from "../json/text-bytes.ts";
import { utf8Bytes, utf8Text } from "../json/utf8.ts";
import { unquoteName } from "./go-quote.ts";
import { type Node, type NodeAttribute, type NodeTime, type NodeType, nodeTypes } from "./node.ts";
import { readAttributes, readBase64Value, readGenericAttributes } from "./node-attributes.ts";
import { parseTime, unsetTime } from "./rfc3339.ts";

/** Fields by name, numbered in the order in which restic writes them. */
const fields = {
  name: 0,
  type: 1,
  mode: 2,
  mtime: 3,
  atime: 4,
  ctime: 5,
  uid: 6,
  gid: 7,
  user: 8,
  group: 9,
  inode: 10,
  device_id: 11,
  size: 12,
  links: 13,
  linktarget: 14,
  linktarget_raw: 15,
  extended_attributes: 16,
  generic_attributes: 17,
  device: 18,
  content: 19,
  subtree: 20,
} as const;
const fieldNames = Object.keys(fields);
const fieldByName = new Map<string, number>(Object.entries(fields));
const fieldKeys = fieldNames.map((name) => utf8Bytes(`"${name}":`));
const unknownField = -1;

const typeTexts = nodeTypes.map((type) => utf8Bytes(`"${type}"`));
const noBytes = new Uint8Array(0);
const noAttributes: readonly NodeAttribute[] = [];
const smallNumbers = Array.from({ length: 64 }, (_, value) => BigInt(value));
const maximumU32 = 0xffffffff;
const quote = 0x22;
const closeBracket = 0x5d;
/** An id in quotes and what separates it from the next. */
const idTextBytesMin = 67;
/** Bytes of ids that one piece of memory gathers again and again; longer lists get memory of their own. */
const shortContentBytesMax = 1024 * 1024;

/**
 * What becomes of the ids of a file's blobs: `own` gives each node its own; with `in-place` lists of more than
 * 1 MiB are written over their own text and stay there, so that the tree's bytes can be read only once;
 * `skipped` leaves `content` null.
 */
export type ContentReading = "own" | "in-place" | "skipped";

/** Holds the fields of the node that is being read. */
export class NodeReader {
  readonly #cursor: JsonCursor;
  readonly #contentReading: ContentReading;
  /** Raw name of the node read last. */
  name: Uint8Array = noBytes;
  /** Type of the node read last, as it is written there. */
  typeText = "";
  #type: NodeType | undefined;
  #mode = 0;
  #mtime: NodeTime = unsetTime;
  #atime: NodeTime = unsetTime;
  #ctime: NodeTime = unsetTime;
  #uid = 0;
  #gid = 0;
  #user = "";
  #group = "";
  #inode = 0n;
  #deviceId = 0n;
  #size = 0;
  #links = 0n;
  #linkTarget: Uint8Array = noBytes;
  #rawLinkTarget: Uint8Array = noBytes;
  #attributes = noAttributes;
  #generic: ReadonlyMap<string, string> | undefined;
  #device = 0n;
  #content: Uint8Array | null = null;
  #subtree: Uint8Array | null = null;
  /** Ids of the file that is being read; grows to `shortContentBytesMax`. */
  #ids: Uint8Array = new Uint8Array(32 * 64);
  /** By field, one further: the field that came after it the last time. The first is what comes first. */
  readonly #followers = Uint8Array.from([0, ...fieldNames.keys()], (field, place) =>
    place === 0 ? 0 : Math.min(field + 1, fields.subtree),
  );
  /** Owner names repeat from node to node, so the last ones are kept with their bytes. */
  readonly #userText = new RepeatedText();
  readonly #groupText = new RepeatedText();

  constructor(cursor: JsonCursor, contentReading: ContentReading) {
    this.#cursor = cursor;
    this.#contentReading = contentReading;
  }

  /**
   * Reads the node at the cursor; undefined if its type is none that we know (`name` and `typeText`
   * then tell about it). Unknown fields are skipped; of a repeated field the last counts. Throws
   * BackstayError REPOSITORY_DAMAGED.
   */
  read(): Node | undefined {
    this.#reset();
    const cursor = this.#cursor;
    let field = unknownField;
    for (let more = cursor.enterObject(); more; more = cursor.moreMembers()) {
      field = this.#field(field);
      // Go leaves a field as it is when its value is null.
      if (field === unknownField) cursor.skipValue(3);
      else if (!cursor.takeNull()) this.#value(field);
      else if (field === fields.content) this.#content = null;
      else if (field === fields.subtree) this.#subtree = null;
    }
    return this.#type === undefined ? undefined : this.#node(this.#type);
  }

  #reset(): void {
    this.name = noBytes;
    this.typeText = "";
    this.#type = undefined;
    this.#mode = 0;
    this.#mtime = unsetTime;
    this.#atime = unsetTime;
    this.#ctime = unsetTime;
    this.#uid = 0;
    this.#gid = 0;
    this.#user = "";
    this.#group = "";
    this.#inode = 0n;
    this.#deviceId = 0n;
    this.#size = 0;
    this.#links = 0n;
    this.#linkTarget = noBytes;
    this.#rawLinkTarget = noBytes;
    this.#attributes = noAttributes;
    this.#generic = undefined;
    this.#device = 0n;
    this.#content = null;
    this.#subtree = null;
  }

  #node(type: NodeType): Node {
    const node: Node = {
      name: this.name,
      type,
      mode: this.#mode,
      mtime: this.#mtime,
      atime: this.#atime,
      ctime: this.#ctime,
      uid: this.#uid,
      gid: this.#gid,
      user: this.#user,
      group: this.#group,
      inode: this.#inode,
      deviceId: this.#deviceId,
      size: this.#size,
      links: this.#links,
      linkTarget: this.#rawLinkTarget.length > 0 ? this.#rawLinkTarget : this.#linkTarget,
      attributes: this.#attributes,
      device: this.#device,
      content: this.#content,
      subtree: this.#subtree,
    };
    return this.#generic === undefined ? node : { ...node, genericAttributes: this.#generic };
  }

  /**
   * Reads the name of a field and its colon. Most nodes of a tree have the same fields, so the one that
   * followed `before` the last time is tried first. Names with escapes in them count as unknown.
   */
  #field(before: number): number {
    const cursor = this.#cursor;
    const guess = this.#followers[before + 1];
    if (cursor.take(fieldKeys[guess])) return guess;
    cursor.key();
    if (!cursor.textIsPlain) return unknownField;
    const name = asciiText(cursor.bytes, cursor.textStart, cursor.textEnd);
    const field = fieldByName.get(name) ?? unknownField;
    if (field !== unknownField) this.#followers[before + 1] = field;
    return field;
  }

  #value(field: number): void {
    switch (field) {
      case fields.name:
        this.name = this.#readName();
        return;
      case fields.type:
        this.#readType();
        return;
      case fields.mode:
        this.#mode = this.#u32(field);
        return;
      case fields.mtime:
        this.#mtime = this.#time(field);
        return;
      case fields.atime:
        this.#atime = this.#time(field);
        return;
      case fields.ctime:
        this.#ctime = this.#time(field);
        return;
      case fields.uid:
        this.#uid = this.#u32(field);
        return;
      case fields.gid:
        this.#gid = this.#u32(field);
        return;
      case fields.user:
        this.#user = this.#userText.read(this.#cursor);
        return;
      case fields.group:
        this.#group = this.#groupText.read(this.#cursor);
        return;
      case fields.inode:
        this.#inode = this.#u64();
        return;
      case fields.device_id:
        this.#deviceId = this.#u64();
        return;
      default:
        this.#laterValue(field);
    }
  }

  #laterValue(field: number): void {
    const cursor = this.#cursor;
    switch (field) {
      case fields.size:
        this.#size = cursor.unsigned();
        if (this.#size < 0) cursor.fail("size above 2^53-1");
        return;
      case fields.links:
        this.#links = this.#u64();
        return;
      case fields.linktarget:
        cursor.string();
        this.#linkTarget = cursor.text();
        return;
      case fields.linktarget_raw:
        this.#rawLinkTarget = readBase64Value(cursor);
        return;
      case fields.extended_attributes:
        this.#attributes = readAttributes(cursor);
        return;
      case fields.generic_attributes:
        this.#generic = readGenericAttributes(cursor);
        return;
      case fields.device:
        this.#device = this.#u64();
        return;
      case fields.content:
        if (this.#contentReading === "skipped") cursor.skipValue(3);
        else this.#content = this.#readContent();
        return;
      default:
        this.#subtree = new Uint8Array(32);
        this.#id(this.#subtree, 0, fields.subtree);
    }
  }

  #readName(): Uint8Array {
    const cursor = this.#cursor;
    cursor.string();
    const text = cursor.text();
    if (cursor.textIsPlain) return text;
    return unquoteName(text) ?? cursor.fail("name with invalid quoting", cursor.textStart);
  }

  #readType(): void {
    const cursor = this.#cursor;
    for (let type = 0; type < typeTexts.length; type += 1) {
      if (cursor.take(typeTexts[type])) {
        this.#type = nodeTypes[type];
        return;
      }
    }
    cursor.string();
    this.typeText = utf8Text(cursor.text());
    this.#type = nodeTypes.find((type) => type === this.typeText);
  }

  #u32(field: number): number {
    const value = this.#cursor.unsigned();
    if (value < 0 || value > maximumU32) this.#cursor.fail(`${fieldNames[field]} above 2^32-1`);
    return value;
  }

  #u64(): bigint {
    const value = this.#cursor.unsigned();
    if (value < 0) return this.#cursor.big;
    return value < smallNumbers.length ? smallNumbers[value] : BigInt(value);
  }

  #time(field: number): NodeTime {
    const cursor = this.#cursor;
    cursor.string();
    const time = parseTime(cursor.bytes, cursor.textStart, cursor.textEnd);
    return time ?? cursor.fail(`${fieldNames[field]} is no time`, cursor.textStart);
  }

  #readContent(): Uint8Array {
    const cursor = this.#cursor;
    const start = cursor.at;
    let ids = this.#ids;
    let length = 0;
    for (let more = cursor.enterArray(); more; more = cursor.moreElements()) {
      if (length === ids.length) ids = this.#moreRoom(ids, start);
      this.#id(ids, length, fields.content);
      length += 32;
    }
    return ids === this.#ids ? ids.slice(0, length) : ids.subarray(0, length);
  }

  /** Room for more than the full `ids` of a list whose text begins at `start`. Holds them, too. */
  #moreRoom(ids: Uint8Array, start: number): Uint8Array {
    if (ids.length < shortContentBytesMax) {
      this.#ids = new Uint8Array(ids.length * 2);
      this.#ids.set(ids);
      return this.#ids;
    }
    // What was read is more than twice as long as what it says: writing never catches up.
    const { bytes, at } = this.#cursor;
    const found = bytes.indexOf(closeBracket, at);
    const end = found < 0 ? bytes.length : found;
    const larger =
      this.#contentReading === "in-place"
        ? bytes.subarray(start, end)
        : new Uint8Array(ids.length + Math.ceil((end - at) / idTextBytesMin) * 32);
    larger.set(ids);
    return larger;
  }

  #id(target: Uint8Array, at: number, field: number): void {
    const cursor = this.#cursor;
    cursor.peek();
    const start = cursor.at + 1;
    const end = start + 64;
    const isString = cursor.bytes[start - 1] === quote && cursor.bytes[end] === quote;
    if (!isString || !readHexId(cursor.bytes, start, end, target, at)) {
      cursor.fail(`${fieldNames[field]} holds no id`);
    }
    cursor.at = end + 1;
  }
}

/** Reads strings that are mostly the same as the one before, and then makes no new one. */
class RepeatedText {
  #bytes: Uint8Array = noBytes;
  #text = "";

  read(cursor: JsonCursor): string {
    cursor.string();
    if (cursor.textIsPlain && this.#isSame(cursor)) return this.#text;
    const bytes = cursor.text();
    const text = utf8Text(bytes);
    if (cursor.textIsPlain) {
      this.#bytes = bytes;
      this.#text = text;
    }
    return text;
  }

  #isSame(cursor: JsonCursor): boolean {
    const bytes = this.#bytes;
    if (cursor.textEnd - cursor.textStart !== bytes.length) return false;
    for (let index = 0; index < bytes.length; index += 1) {
      if (cursor.bytes[cursor.textStart + index] !== bytes[index]) return false;
    }
    return true;
  }
}
