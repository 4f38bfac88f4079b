/**
 * Reads an index file pack by pack, straight from its bytes into arrays: no strings and no objects, since a
 * start reads hundreds of thousands of entries. What restic and Backstay write is taken at one go; any
 * other JSON of the same meaning is read field by field.
 */
import { JsonCursor } from "../json/json-cursor.ts";
import { readHexId } from "../json/text-bytes.ts";
import { utf8Bytes } from "../json/utf8.ts";

const u32Max = 0xffffffff;
/** A sealed blob of no bytes. */
const lengthMin = 32;
const noNumber = -1;
const comma = 0x2c;
const closeBrace = 0x7d;
const closeBracket = 0x5d;

const blobStart = utf8Bytes('{"id":"');
const dataStart = utf8Bytes('","type":"data","offset":');
const treeStart = utf8Bytes('","type":"tree","offset":');
const lengthStart = utf8Bytes(',"length":');
const plainStart = utf8Bytes(',"uncompressed_length":');

const keyPacks = utf8Bytes("packs");
const keyId = utf8Bytes("id");
const keyBlobs = utf8Bytes("blobs");
const keyType = utf8Bytes("type");
const keyOffset = utf8Bytes("offset");
const keyLength = utf8Bytes("length");
const keyPlain = utf8Bytes("uncompressed_length");
const valueData = utf8Bytes("data");
const valueTree = utf8Bytes("tree");

/**
 * After `nextPack` has said true, the pack is in `packId` and its blobs in the arrays: `count` of each, valid until
 * the next call. Throws REPOSITORY_DAMAGED naming the file if anything in it can't be true.
 */
export class IndexScanner {
  readonly packId = new Uint8Array(32);
  /** 32 bytes each. */
  ids = new Uint8Array(64 * 32);
  /** 1 for a tree, 0 for data. */
  types = new Uint8Array(64);
  offsets = new Uint32Array(64);
  /** Bytes of the sealed blob, at least 32. */
  lengths = new Uint32Array(64);
  /** Bytes before compression; 0 for a blob stored plain. */
  plainLengths = new Uint32Array(64);
  count = 0;
  readonly #cursor: JsonCursor;
  /** Where reading stands: before the document, among its members, among its packs, or behind it. */
  #state: "start" | "members" | "packs" | "end" = "start";
  #isFirstPack = true;
  /** What was read of a blob that is read field by field. */
  readonly #blob = { hasId: false, type: 0, offset: 0, length: 0, plainLength: 0 };

  /** `file` is for errors, such as `index/ab…`. */
  constructor(json: Uint8Array, file: string) {
    this.#cursor = new JsonCursor(json, { file });
  }

  /** Reads the next pack; false after the last. */
  nextPack(): boolean {
    const cursor = this.#cursor;
    if (this.#state === "start") this.#state = cursor.enterObject() ? "members" : "end";
    for (;;) {
      if (this.#state === "packs") {
        if (this.#isFirstPack || cursor.moreElements()) {
          this.#isFirstPack = false;
          this.#readPack();
          return true;
        }
        this.#state = cursor.moreMembers() ? "members" : "end";
      }
      if (this.#state === "members") this.#readMember();
      if (this.#state === "end") {
        cursor.finish();
        return false;
      }
    }
  }

  /** Reads one member of the document; stops inside the list of packs if it is that. */
  #readMember(): void {
    const cursor = this.#cursor;
    this.#readKey();
    if (this.#isText(keyPacks) && !cursor.takeNull()) {
      if (cursor.enterArray()) {
        this.#state = "packs";
        this.#isFirstPack = true;
        return;
      }
    } else if (!this.#isText(keyPacks)) cursor.skipValue(1);
    if (!cursor.moreMembers()) this.#state = "end";
  }

  #readPack(): void {
    const cursor = this.#cursor;
    const start = cursor.at;
    let hasId = false;
    this.count = 0;
    if (cursor.enterObject())
      do {
        this.#readKey();
        if (this.#isText(keyId)) hasId = this.#readId(this.packId, 0);
        else if (this.#isText(keyBlobs)) this.#readBlobs();
        else cursor.skipValue(3);
      } while (cursor.moreMembers());
    if (!hasId) cursor.fail("a pack has no id", start);
  }

  #readBlobs(): void {
    const cursor = this.#cursor;
    if (cursor.takeNull() || !cursor.enterArray()) return;
    do {
      if (this.count === this.types.length) this.#grow();
      if (!this.#takeBlob()) this.#readBlob();
      this.count += 1;
    } while (this.#moreBlobs());
  }

  /** As `moreElements`, quicker where no white space stands. */
  #moreBlobs(): boolean {
    const cursor = this.#cursor;
    const byte = cursor.bytes[cursor.at];
    if (byte !== comma && byte !== closeBracket) return cursor.moreElements();
    cursor.at += 1;
    return byte === comma;
  }

  /** Takes a blob as restic writes it; false, with nothing taken, if it is written otherwise or out of bounds. */
  #takeBlob(): boolean {
    const cursor = this.#cursor;
    const start = cursor.at;
    const taken = this.#tryTakeBlob();
    if (!taken) cursor.at = start;
    return taken;
  }

  #tryTakeBlob(): boolean {
    const cursor = this.#cursor;
    const at = this.count;
    if (!cursor.take(blobStart)) return false;
    if (!readHexId(cursor.bytes, cursor.at, cursor.at + 64, this.ids, at * 32)) return false;
    cursor.at += 64;
    const isTree = !cursor.take(dataStart);
    if (isTree && !cursor.take(treeStart)) return false;
    const offset = this.#takeNumber();
    if (offset < 0 || !cursor.take(lengthStart)) return false;
    const length = this.#takeNumber();
    let plainLength = 0;
    if (cursor.bytes[cursor.at] === comma) {
      if (!cursor.take(plainStart)) return false;
      plainLength = this.#takeNumber();
    }
    if (cursor.bytes[cursor.at] !== closeBrace || plainLength < 0) return false;
    if (length < lengthMin || offset + length > u32Max || plainLength > u32Max) return false;
    cursor.at += 1;
    this.types[at] = isTree ? 1 : 0;
    this.offsets[at] = offset;
    this.lengths[at] = length;
    this.plainLengths[at] = plainLength;
    return true;
  }

  /** Up to ten digits, or -1 if there are none, more, or a leading zero. */
  #takeNumber(): number {
    const cursor = this.#cursor;
    const { bytes, at: start } = cursor;
    let value = 0;
    let at = start;
    for (; at < start + 11; at += 1) {
      const digit = bytes[at] - 0x30;
      // Written so that the end of the array, where nothing is, ends the loop too.
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const digits = at - start;
    if (digits === 0 || digits > 10 || (digits > 1 && bytes[start] === 0x30)) return noNumber;
    cursor.at = at;
    return value;
  }

  #readBlob(): void {
    const cursor = this.#cursor;
    const start = cursor.at;
    const at = this.count;
    const blob = this.#blob;
    blob.hasId = false;
    blob.type = noNumber;
    blob.offset = noNumber;
    blob.length = noNumber;
    blob.plainLength = 0;
    if (cursor.enterObject())
      do {
        this.#readKey();
        this.#readBlobMember();
      } while (cursor.moreMembers());
    if (!blob.hasId) cursor.fail("a blob has no id", start);
    if (blob.type === noNumber) cursor.fail("a blob has no type", start);
    if (blob.offset === noNumber || blob.length < lengthMin)
      cursor.fail("a blob has an impossible position or length", start);
    if (blob.offset + blob.length > u32Max)
      cursor.fail("a blob lies beyond the end of any pack", start);
    this.types[at] = blob.type;
    this.offsets[at] = blob.offset;
    this.lengths[at] = blob.length;
    this.plainLengths[at] = blob.plainLength;
  }

  #readBlobMember(): void {
    const cursor = this.#cursor;
    const blob = this.#blob;
    if (this.#isText(keyId)) blob.hasId = this.#readId(this.ids, this.count * 32);
    else if (this.#isText(keyType)) blob.type = this.#readType();
    else if (this.#isText(keyOffset)) blob.offset = this.#readNumber();
    else if (this.#isText(keyLength)) blob.length = this.#readNumber();
    else if (!this.#isText(keyPlain)) cursor.skipValue(5);
    else if (!cursor.takeNull()) blob.plainLength = this.#readNumber();
  }

  #readKey(): void {
    const cursor = this.#cursor;
    cursor.key();
    // Escapes in a name that nobody knows must still be right; the text itself is not wanted.
    if (!cursor.textIsPlain) cursor.text();
  }

  #readId(target: Uint8Array, at: number): true {
    const cursor = this.#cursor;
    cursor.string();
    const { bytes, textStart, textEnd } = cursor;
    if (!readHexId(bytes, textStart, textEnd, target, at)) cursor.fail("id expected", textStart);
    return true;
  }

  #readType(): number {
    this.#cursor.string();
    if (this.#isText(valueTree)) return 1;
    if (!this.#isText(valueData)) this.#cursor.fail("unknown type of blob", this.#cursor.textStart);
    return 0;
  }

  #readNumber(): number {
    const cursor = this.#cursor;
    const start = cursor.at;
    const value = cursor.unsigned();
    if (value < 0 || value > u32Max)
      cursor.fail("a blob has an impossible position or length", start);
    return value;
  }

  /** True if the string read last is this text. */
  #isText(text: Uint8Array): boolean {
    const { bytes, textStart, textEnd } = this.#cursor;
    if (textEnd - textStart !== text.length) return false;
    for (let i = 0; i < text.length; i += 1) if (bytes[textStart + i] !== text[i]) return false;
    return true;
  }

  #grow(): void {
    const size = this.types.length * 2;
    const [ids, types] = [new Uint8Array(size * 32), new Uint8Array(size)];
    ids.set(this.ids);
    types.set(this.types);
    this.ids = ids;
    this.types = types;
    this.offsets = grown(this.offsets, size);
    this.lengths = grown(this.lengths, size);
    this.plainLengths = grown(this.plainLengths, size);
  }
}

function grown(array: Uint32Array, size: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(size);
  larger.set(array);
  return larger;
}
