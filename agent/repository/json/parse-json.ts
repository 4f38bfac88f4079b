/** Reads small JSON texts of a repository (config, keys, locks, snapshots) that nobody may be trusted with. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { asciiText, JsonCursor, maximumJsonDepth } from "./json-cursor.ts";
import { utf8Text } from "./utf8.ts";

/** A number with a fraction or an exponent, or beyond 64 bits; no field of the format takes one. */
export class JsonOddNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonObject = ReadonlyMap<string, JsonValue>;
/** Whole numbers are `number` up to 2^53-1 (either sign) and `bigint` up to 2^64-1 beyond that. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | JsonOddNumber
  | string
  | readonly JsonValue[]
  | JsonObject;

/** True for an object, whose members are then typed. */
export function isJsonObject(value: JsonValue): value is JsonObject {
  return value instanceof Map;
}

export interface JsonLimits {
  /** What is read, for errors: `config`, `key`, `snapshot` … */
  readonly file: string;
  /** Longest text that is looked at. */
  readonly maximumBytes: number;
  /** Deepest nesting, at most and by default 64. */
  readonly maximumDepth?: number;
}

interface OpenContainer {
  readonly members: Map<string, JsonValue> | undefined;
  readonly elements: JsonValue[] | undefined;
  /** Name of the member that is being read. */
  key: string;
}

/** More values than this would take hundreds of megabytes, however short the text is. */
const maximumValues = 2_000_000;
const maximumU64 = 2n ** 64n - 1n;
const openBracket = 0x5b;
const openBrace = 0x7b;

/**
 * The value of a JSON text. Objects become maps, so that no name in them means anything to JavaScript;
 * of a repeated name the last counts. Throws BackstayError REPOSITORY_DAMAGED if the text is no JSON or
 * is beyond the limits.
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): JsonValue {
  const facts = { file: limits.file };
  if (bytes.length > limits.maximumBytes) {
    const problem = "longer than any such file may be";
    throw new BackstayError("REPOSITORY_DAMAGED", { ...facts, problem, sizeBytes: bytes.length });
  }
  const cursor = new JsonCursor(bytes, facts);
  const value = readValue(cursor, Math.min(limits.maximumDepth ?? Infinity, maximumJsonDepth));
  cursor.finish();
  return value;
}

/** Without recursion: `open` are the containers around the value that comes next. */
function readValue(cursor: JsonCursor, maximumDepth: number): JsonValue {
  const open: OpenContainer[] = [];
  for (let values = 1; ; values += 1) {
    if (values > maximumValues) cursor.fail("more values than any such file may hold");
    const byte = cursor.peek();
    let value: JsonValue;
    if (byte === openBrace || byte === openBracket) {
      if (open.length >= maximumDepth) cursor.fail("nested too deeply");
      const container = enter(cursor, byte === openBrace);
      if (container.more) {
        open.push(container);
        continue;
      }
      value = container.members ?? container.elements ?? null;
    } else {
      value = readScalar(cursor, byte);
    }
    const whole = close(cursor, open, value);
    if (whole !== undefined) return whole;
  }
}

function enter(cursor: JsonCursor, isObject: boolean): OpenContainer & { more: boolean } {
  const more = isObject ? cursor.enterObject() : cursor.enterArray();
  return {
    members: isObject ? new Map<string, JsonValue>() : undefined,
    elements: isObject ? undefined : [],
    key: isObject && more ? readKey(cursor) : "",
    more,
  };
}

/** Puts a value into its container and closes what ends with it; answers the whole if all has ended. */
function close(cursor: JsonCursor, open: OpenContainer[], ended: JsonValue): JsonValue | undefined {
  let value = ended;
  for (;;) {
    const container = open.at(-1);
    if (container === undefined) return value;
    container.members?.set(container.key, value);
    container.elements?.push(value);
    const isObject = container.members !== undefined;
    if (isObject ? cursor.moreMembers() : cursor.moreElements()) {
      if (isObject) container.key = readKey(cursor);
      return undefined;
    }
    open.pop();
    value = container.members ?? container.elements ?? null;
  }
}

function readKey(cursor: JsonCursor): string {
  cursor.key();
  return utf8Text(cursor.text());
}

function readScalar(cursor: JsonCursor, byte: number): JsonValue {
  if (byte === 0x22) {
    cursor.string();
    return utf8Text(cursor.text());
  }
  if (byte === 0x74 || byte === 0x66) return cursor.boolean();
  if (cursor.takeNull()) return null;
  const start = cursor.at;
  const isWhole = cursor.skipNumber();
  const text = asciiText(cursor.bytes, start, cursor.at);
  const number = Number(text);
  if (isWhole && Number.isSafeInteger(number)) return number === 0 ? 0 : number;
  // The length is looked at first: to convert a million digits would take seconds.
  if (!isWhole || text.length > 20) return new JsonOddNumber(text);
  const big = BigInt(text);
  return big > maximumU64 || big < -maximumU64 ? new JsonOddNumber(text) : big;
}
