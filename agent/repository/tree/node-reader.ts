/** Reads one node of a tree's JSON; the hot part of everything that walks a snapshot. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { JsonCursor } from "../json/json-cursor.ts";
import { readBase64, readHexId } from "../json/text-bytes.ts";
import { utf8Text } from "../json/utf8.ts";
import { unquoteName } from "./go-quote.ts";
import { type Node, type NodeAttribute, type NodeTime, type NodeType, nodeTypes } from "./node.ts";
import { readAttributes, readGenericAttributes } from "./node-attributes.ts";
import { parseTime, unsetTime } from "./rfc3339.ts";

const fieldNames = [
  "name",
  "type",
  "mode",
  "mtime",
  "atime",
  "ctime",
  "uid",
  "gid",
  "user",
  "group",
  "inode",
  "device_id",
  "size",
  "links",
  "linktarget",
  "linktarget_raw",
  "extended_attributes",
  "generic_attributes",
  "device",
  "content",
  "subtree",
] as const;
type FieldName = (typeof fieldNames)[number];

/** Fields by length and first letter of their names: no two share both. */
const longestField = 19;
const fieldTable: (FieldName | undefined)[] = new Array((longestField + 1) * 128).fill(undefined);
for (const name of fieldNames) fieldTable[name.length * 128 + name.charCodeAt(0)] = name;

const typeByLetters = new Map<string, NodeType>(nodeTypes.map((type) => [type, type]));
const noBytes = new Uint8Array(0);
const noAttributes: readonly NodeAttribute[] = [];
const smallNumbers = Array.from({ length: 64 }, (_, value) => BigInt(value));
const maximumU32 = 0xffffffff;

/** Holds the fields of the node that is being read. */
export class NodeReader {
  readonly #cursor: JsonCursor;
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
  /** Ids of the file that is being read; grows. */
  #ids = new Uint8Array(32 * 64);
  /** Owner names repeat from node to node, so the last ones are kept with their bytes. */
  readonly #userText = new RepeatedText();
  readonly #groupText = new RepeatedText();

  constructor(cursor: JsonCursor) {
    this.#cursor = cursor;
  }

  /**
   * Reads the node at the cursor; undefined if its type is none that we know (`name` and `typeText`
   * then tell about it). Unknown fields are skipped; of a repeated field the last counts. Throws
   * BackstayError REPOSITORY_DAMAGED.
   */
  read(): Node | undefined {
    this.#reset();
    const cursor = this.#cursor;
    for (let more = cursor.enterObject(); more; more = cursor.moreMembers()) {
      cursor.key();
      const field = this.#field();
      // Go leaves a field as it is when its value is null.
      if (field === undefined) cursor.skipValue(3);
      else if (!cursor.takeNull()) this.#value(field);
      else if (field === "content") this.#content = null;
      else if (field === "subtree") this.#subtree = null;
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

  /** The field whose name was read last, if it is one. Names with escapes in them count as unknown. */
  #field(): FieldName | undefined {
    const { bytes, textStart, textEnd } = this.#cursor;
    const length = textEnd - textStart;
    if (length === 0 || length > longestField) return undefined;
    const field = fieldTable[length * 128 + (bytes[textStart] & 127)];
    if (field === undefined) return undefined;
    for (let index = 0; index < length; index += 1) {
      if (bytes[textStart + index] !== field.charCodeAt(index)) return undefined;
    }
    return field;
  }

  #value(field: FieldName): void {
    switch (field) {
      case "name":
        this.name = this.#name();
        return;
      case "type":
        this.#readType();
        return;
      case "mode":
        this.#mode = this.#u32(field);
        return;
      case "mtime":
        this.#mtime = this.#time(field);
        return;
      case "atime":
        this.#atime = this.#time(field);
        return;
      case "ctime":
        this.#ctime = this.#time(field);
        return;
      case "uid":
        this.#uid = this.#u32(field);
        return;
      case "gid":
        this.#gid = this.#u32(field);
        return;
      case "user":
        this.#user = this.#userText.read(this.#cursor);
        return;
      case "group":
        this.#group = this.#groupText.read(this.#cursor);
        return;
      case "inode":
        this.#inode = this.#u64();
        return;
      case "device_id":
        this.#deviceId = this.#u64();
        return;
      default:
        this.#laterValue(field);
    }
  }

  #laterValue(field: FieldName): void {
    const cursor = this.#cursor;
    switch (field) {
      case "size":
        this.#size = cursor.unsigned();
        if (this.#size < 0) cursor.fail("size above 2^53-1");
        return;
      case "links":
        this.#links = this.#u64();
        return;
      case "linktarget":
        cursor.string();
        this.#linkTarget = cursor.text();
        return;
      case "linktarget_raw":
        cursor.string();
        this.#rawLinkTarget =
          readBase64(cursor.bytes, cursor.textStart, cursor.textEnd) ??
          cursor.fail("linktarget_raw is no base64", cursor.textStart);
        return;
      case "extended_attributes":
        this.#attributes = readAttributes(cursor);
        return;
      case "generic_attributes":
        this.#generic = readGenericAttributes(cursor);
        return;
      case "device":
        this.#device = this.#u64();
        return;
      case "content":
        this.#content = this.#readContent();
        return;
      case "subtree": {
        const subtree = new Uint8Array(32);
        this.#id(subtree, 0, field);
        this.#subtree = subtree;
        return;
      }
      default:
        throw new BackstayError("INTERNAL", { problem: "unread field of a node", field });
    }
  }

  #name(): Uint8Array {
    const cursor = this.#cursor;
    cursor.string();
    const text = cursor.text();
    if (cursor.textIsPlain) return text;
    return unquoteName(text) ?? cursor.fail("name with invalid quoting", cursor.textStart);
  }

  #readType(): void {
    const cursor = this.#cursor;
    cursor.string();
    this.typeText = utf8Text(cursor.text());
    this.#type = typeByLetters.get(this.typeText);
  }

  #u32(field: FieldName): number {
    const value = this.#cursor.unsigned();
    if (value < 0 || value > maximumU32) this.#cursor.fail(`${field} above 2^32-1`);
    return value;
  }

  #u64(): bigint {
    const value = this.#cursor.unsigned();
    if (value < 0) return this.#cursor.big;
    return value < smallNumbers.length ? smallNumbers[value] : BigInt(value);
  }

  #time(field: FieldName): NodeTime {
    const cursor = this.#cursor;
    cursor.string();
    const time = parseTime(cursor.bytes, cursor.textStart, cursor.textEnd);
    return time ?? cursor.fail(`${field} is no time`, cursor.textStart);
  }

  #readContent(): Uint8Array {
    const cursor = this.#cursor;
    let length = 0;
    for (let more = cursor.enterArray(); more; more = cursor.moreElements()) {
      if (length === this.#ids.length) {
        const grown = new Uint8Array(length * 2);
        grown.set(this.#ids);
        this.#ids = grown;
      }
      this.#id(this.#ids, length, "content");
      length += 32;
    }
    return this.#ids.slice(0, length);
  }

  #id(target: Uint8Array, at: number, field: FieldName): void {
    const cursor = this.#cursor;
    cursor.string();
    if (!readHexId(cursor.bytes, cursor.textStart, cursor.textEnd, target, at)) {
      cursor.fail(`${field} holds no id`, cursor.textStart);
    }
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
