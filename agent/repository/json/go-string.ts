/**
 * Strings as Go's JSON encoder escapes them (Go 1.22 and newer): trees and snapshots must come out byte
 * for byte as restic itself would write them.
 */
import { decodeRune, invalidRune, utf8Bytes } from "./utf8.ts";

/** `writeGoString` writes at most this many bytes for a byte of its source. */
export const goStringExpansion = 6;

/** Per byte below 0x80: what is written instead of it; absent where it stays. */
const escapes: (Uint8Array | undefined)[] = [];
for (let value = 0; value < 0x80; value += 1) escapes.push(escapeOf(value));

const replacement = utf8Bytes("\\ufffd");
const lineSeparator = utf8Bytes("\\u2028");
const paragraphSeparator = utf8Bytes("\\u2029");

function escapeOf(value: number): Uint8Array | undefined {
  const short = new Map([
    [0x08, "\\b"],
    [0x09, "\\t"],
    [0x0a, "\\n"],
    [0x0c, "\\f"],
    [0x0d, "\\r"],
    [0x22, '\\"'],
    [0x5c, "\\\\"],
  ]).get(value);
  if (short !== undefined) return utf8Bytes(short);
  const character = String.fromCharCode(value);
  if (value >= 0x20 && !"<>&".includes(character)) return undefined;
  return utf8Bytes(`\\u00${value.toString(16).padStart(2, "0")}`);
}

/**
 * Writes `source[start … end)` as the inside of a JSON string (no quotes) at `at` and returns the place
 * after it. Room for 6 times the source must be there. Invalid UTF-8 becomes `\ufffd`, byte by byte.
 */
export function writeGoString(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  let place = at;
  let from = start;
  while (from < end) {
    const value = source[from];
    if (value < 0x80) {
      const text = escapes[value];
      if (text === undefined) {
        target[place] = value;
        place += 1;
      } else {
        place = put(target, place, text);
      }
      from += 1;
      continue;
    }
    const rune = decodeRune(source, from, end);
    if (rune === invalidRune) {
      place = put(target, place, replacement);
      from += 1;
      continue;
    }
    const next = from + (rune & 7);
    const point = rune >>> 3;
    if (point === 0x2028 || point === 0x2029) {
      place = put(target, place, point === 0x2028 ? lineSeparator : paragraphSeparator);
      from = next;
    }
    for (; from < next; from += 1) {
      target[place] = source[from];
      place += 1;
    }
  }
  return place;
}

/** The JSON string of `text` with its quotes, as Go writes it. A lone surrogate becomes U+FFFD. */
export function goJsonString(text: string): Uint8Array {
  const source = utf8Bytes(text);
  const target = new Uint8Array(source.length * goStringExpansion + 2);
  target[0] = 0x22;
  const end = writeGoString(target, 1, source, 0, source.length);
  target[end] = 0x22;
  return target.slice(0, end + 1);
}

function put(target: Uint8Array, at: number, source: Uint8Array): number {
  for (let index = 0; index < source.length; index += 1) target[at + index] = source[index];
  return at + source.length;
}

/**
 * The valid JSON value `source[start … end)` as Go writes a value that it holds as text: without white
 * space, and with `<`, `>`, `&`, U+2028 and U+2029 escaped. The rest of its strings stays as it is.
 */
export function compactGoJson(source: Uint8Array, start: number, end: number): Uint8Array {
  const target = new Uint8Array((end - start) * goStringExpansion);
  let place = 0;
  let inString = false;
  for (let from = start; from < end; from += 1) {
    const value = source[from];
    if (!inString && value <= 0x20) continue;
    if (value === 0x22) inString = !inString;
    if (value === 0x3c || value === 0x3e || value === 0x26) {
      place = put(target, place, escapes[value] ?? replacement);
      continue;
    }
    if (value === 0xe2 && source[from + 1] === 0x80 && (source[from + 2] & 0xfe) === 0xa8) {
      place = put(target, place, source[from + 2] === 0xa8 ? lineSeparator : paragraphSeparator);
      from += 2;
      continue;
    }
    target[place] = value;
    place += 1;
    if (inString && value === 0x5c) {
      from += 1;
      target[place] = source[from];
      place += 1;
    }
  }
  return target.slice(0, place);
}
