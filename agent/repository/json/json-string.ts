/** Strings of JSON texts as Go reads them. */
import { decodeRune, invalidRune, writeRune } from "./utf8.ts";

const replacementPoint = 0xfffd;
const unescaped = new Map([
  [0x22, 0x22],
  [0x5c, 0x5c],
  [0x2f, 0x2f],
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
]);

/**
 * The UTF-8 bytes of the string whose inside is `bytes[start … end)`, or undefined if an escape in it is
 * invalid. Invalid UTF-8 and lone surrogates become U+FFFD.
 */
export function unescapeJson(
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array | undefined {
  // A byte of the source gives at most three bytes: an invalid one becomes U+FFFD.
  const text = new Uint8Array((end - start) * 3);
  let length = 0;
  for (let at = start; at < end; ) {
    const rune = bytes[at] === 0x5c ? readEscape(bytes, at, end) : readRune(bytes, at, end);
    if (rune < 0) return undefined;
    length = writeRune(text, length, rune >>> 4);
    at += rune & 15;
  }
  return text.slice(0, length);
}

/** The character at `at` as `code point · 16 + length`. */
function readRune(bytes: Uint8Array, at: number, end: number): number {
  const rune = decodeRune(bytes, at, end);
  return rune === invalidRune ? replacementPoint * 16 + 1 : (rune >>> 3) * 16 + (rune & 7);
}

/** The escape at `at` as `code point · 16 + length`, or -1 if it is none. */
function readEscape(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end) return -1;
  if (bytes[at + 1] !== 0x75) {
    const value = unescaped.get(bytes[at + 1]);
    return value === undefined ? -1 : value * 16 + 2;
  }
  const unit = readUnit(bytes, at + 2, end);
  if (unit < 0xd800 || unit >= 0xe000) return unit < 0 ? -1 : unit * 16 + 6;
  const followed = at + 7 < end && bytes[at + 6] === 0x5c && bytes[at + 7] === 0x75;
  const low = followed ? readUnit(bytes, at + 8, end) : -1;
  if (unit >= 0xdc00 || low < 0xdc00 || low >= 0xe000) return replacementPoint * 16 + 6;
  return (0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00)) * 16 + 12;
}

/** Four hex digits, or -1. */
function readUnit(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 > end) return -1;
  let value = 0;
  for (let place = at; place < at + 4; place += 1) {
    const digit = hexDigit(bytes[place]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
