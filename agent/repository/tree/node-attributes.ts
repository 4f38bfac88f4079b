/** Reads the attributes of a node: the extended ones of Unix and the generic ones of Windows. */
import { compactGoJson } from "../json/go-string.ts";
import type { JsonCursor } from "../json/json-cursor.ts";
import { readBase64 } from "../json/text-bytes.ts";
import { utf8Text } from "../json/utf8.ts";
import type { NodeAttribute } from "./node.ts";

const noBytes = new Uint8Array(0);
/** More than any system allows; without a limit, a few bytes of text could ask for gigabytes of objects. */
const maximumAttributes = 100_000;
/** Security descriptors, the longest of them, have 64 KiB at most. */
const maximumGenericBytes = 1024 * 1024;

/** Reads a list of `{"name":…,"value":…}`; a value of null is an empty one. */
export function readAttributes(cursor: JsonCursor): NodeAttribute[] {
  const attributes: NodeAttribute[] = [];
  for (let more = cursor.enterArray(); more; more = cursor.moreElements()) {
    if (attributes.length === maximumAttributes) cursor.fail("too many attributes");
    attributes.push(readAttribute(cursor));
  }
  return attributes;
}

function readAttribute(cursor: JsonCursor): NodeAttribute {
  let name: Uint8Array = noBytes;
  let value: Uint8Array = noBytes;
  for (let more = cursor.enterObject(); more; more = cursor.moreMembers()) {
    cursor.key();
    const key = utf8Text(cursor.text());
    if (key !== "name" && key !== "value") {
      cursor.skipValue(5);
    } else if (!cursor.takeNull()) {
      if (key === "value") {
        value = readBase64Value(cursor);
      } else {
        cursor.string();
        name = cursor.text();
      }
    }
  }
  return { name, value };
}

/** Reads a string of base64. */
export function readBase64Value(cursor: JsonCursor): Uint8Array {
  cursor.string();
  // Base64 needs no escapes; "/" may still be written as one.
  const text = cursor.textIsPlain ? undefined : cursor.text();
  const value =
    text === undefined
      ? readBase64(cursor.bytes, cursor.textStart, cursor.textEnd)
      : readBase64(text, 0, text.length);
  return value ?? cursor.fail("string is no base64", cursor.textStart);
}

/** Reads an object and keeps the JSON text of each value, compact and escaped as Go would write it. */
export function readGenericAttributes(cursor: JsonCursor): Map<string, string> {
  const attributes = new Map<string, string>();
  for (let more = cursor.enterObject(); more; more = cursor.moreMembers()) {
    cursor.key();
    const key = utf8Text(cursor.text());
    cursor.peek();
    const start = cursor.at;
    cursor.skipValue(4);
    if (cursor.at - start > maximumGenericBytes) cursor.fail("attribute longer than 1 MiB", start);
    if (attributes.size === maximumAttributes) cursor.fail("too many attributes");
    attributes.set(key, utf8Text(compactGoJson(cursor.bytes, start, cursor.at)));
  }
  return attributes;
}
