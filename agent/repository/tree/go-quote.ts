/**
 * Names of nodes inside trees: the raw bytes go through Go's `strconv.Quote` without its quotes (so that
 * broken UTF-8 survives), and then through the escaping of JSON strings.
 */
import { decodeRune, invalidRune, writeRune } from "../json/utf8.ts";
import { isPrintable } from "./printable.ts";

/** The writers below write at most this many bytes for a byte of their source. */
export const nameExpansion = 6;

const backslash = 0x5c;
const shortEscapes = new Map([
  [0x07, "a"],
  [0x08, "b"],
  [0x09, "t"],
  [0x0a, "n"],
  [0x0b, "v"],
  [0x0c, "f"],
  [0x0d, "r"],
]);
const hexDigits = new TextEncoder().encode("0123456789abcdef");

/** Per byte below 0x80: the text of step one, and that of both steps; absent where the byte stays. */
const quoted: (Uint8Array | undefined)[] = [];
const quotedJson: (Uint8Array | undefined)[] = [];
/** 1 for the bytes that both steps leave as they are and that need no look at their neighbours. */
const plainBytes = new Uint8Array(256);
for (let value = 0; value < 0x80; value += 1) {
  const text = quotedAscii(value);
  const plain = String.fromCharCode(value);
  quoted.push(text === plain ? undefined : new TextEncoder().encode(text));
  const json = JSON.stringify(text)
    .slice(1, -1)
    .replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);
  quotedJson.push(json === plain ? undefined : new TextEncoder().encode(json));
  plainBytes[value] = json === plain ? 1 : 0;
}

function quotedAscii(value: number): string {
  const plain = String.fromCharCode(value);
  if (plain === '"' || plain === "\\") return `\\${plain}`;
  if (value >= 0x20 && value < 0x7f) return plain;
  const short = shortEscapes.get(value);
  return `\\${short ?? `x${value.toString(16).padStart(2, "0")}`}`;
}

/**
 * Writes the name `source[start … end)` as the inside of its JSON string at `at` and returns the place
 * after it. Room for 6 times the source must be there.
 */
export function writeJsonName(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  let from = start;
  let place = at;
  // Most names need nothing: one look at each byte, copied at once.
  for (; from < end; from += 1) {
    const value = source[from];
    if (plainBytes[value] === 0) break;
    target[place] = value;
    place += 1;
  }
  return from === end ? place : writeQuoted(target, place, source, from, end, quotedJson);
}

/** The name as Go quotes it, without the quotes: step one only. */
export function quoteName(name: Uint8Array): Uint8Array {
  const target = new Uint8Array(name.length * nameExpansion);
  return target.slice(0, writeQuoted(target, 0, name, 0, name.length, quoted));
}

function writeQuoted(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
  escapes: readonly (Uint8Array | undefined)[],
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
        for (let index = 0; index < text.length; index += 1) target[place + index] = text[index];
        place += text.length;
      }
      from += 1;
      continue;
    }
    const rune = decodeRune(source, from, end);
    const next = rune === invalidRune ? from + 1 : from + (rune & 7);
    if (rune !== invalidRune && isPrintable(rune >>> 3)) {
      for (; from < next; from += 1) {
        target[place] = source[from];
        place += 1;
      }
      continue;
    }
    from = next;
    target[place] = backslash;
    place += 1;
    if (escapes === quotedJson) {
      target[place] = backslash;
      place += 1;
    }
    if (rune === invalidRune) place = writeCode(target, place, "x", value, 2);
    else if (rune >>> 3 < 0x10000) place = writeCode(target, place, "u", rune >>> 3, 4);
    else place = writeCode(target, place, "U", rune >>> 3, 8);
  }
  return place;
}

function writeCode(
  target: Uint8Array,
  at: number,
  letter: string,
  value: number,
  digits: number,
): number {
  target[at] = letter.charCodeAt(0);
  let rest = value;
  for (let place = at + digits; place > at; place -= 1) {
    target[place] = hexDigits[rest & 15];
    rest >>>= 4;
  }
  return at + digits + 1;
}

/**
 * The raw name of the quoted text `text[start … end)`, or undefined if Go would refuse the text: a bare
 * `"` or newline, an unknown or cut escape, an escaped surrogate. Characters that Go would have escaped
 * are accepted as they are; a byte of invalid UTF-8 becomes U+FFFD.
 */
export function unquoteName(
  text: Uint8Array,
  start = 0,
  end = text.length,
): Uint8Array | undefined {
  let plain = start;
  while (plain < end && text[plain] < 0x80 && quoted[text[plain]] === undefined) plain += 1;
  if (plain === end) return text.slice(start, end);
  const name = new Uint8Array((end - start) * 3);
  let length = 0;
  for (let at = start; at < end; ) {
    const value = text[at];
    if (value === 0x22 || value === 0x0a) return undefined;
    if (value === backslash) {
      const used = readEscape(text, at + 1, end, name, length);
      if (used === 0) return undefined;
      length += used >>> 8;
      at += 1 + (used & 255);
      continue;
    }
    const rune = decodeRune(text, at, end);
    length = writeRune(name, length, rune === invalidRune ? 0xfffd : rune >>> 3);
    at += rune === invalidRune ? 1 : rune & 7;
  }
  return name.slice(0, length);
}

/**
 * Reads the escape after a backslash into `name` at `place`: answers `bytes written · 256 + bytes read`,
 * or 0 if it is none.
 */
function readEscape(
  text: Uint8Array,
  at: number,
  end: number,
  name: Uint8Array,
  place: number,
): number {
  if (at >= end) return 0;
  const letter = text[at];
  const byte = simpleEscape(letter);
  if (byte !== undefined) {
    name[place] = byte;
    return 257;
  }
  if (letter >= 0x30 && letter <= 0x37) {
    const value = readDigits(text, at, at + 3, end, 8);
    if (value < 0 || value > 255) return 0;
    name[place] = value;
    return 256 + 3;
  }
  const digits = letter === 0x78 ? 2 : letter === 0x75 ? 4 : letter === 0x55 ? 8 : 0;
  if (digits === 0) return 0;
  const value = readDigits(text, at + 1, at + 1 + digits, end, 16);
  if (value < 0) return 0;
  if (digits === 2) {
    name[place] = value;
    return 256 + 3;
  }
  if (value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
  return (writeRune(name, place, value) - place) * 256 + digits + 1;
}

function simpleEscape(letter: number): number | undefined {
  if (letter === backslash || letter === 0x22) return letter;
  for (const [value, short] of shortEscapes) if (short.charCodeAt(0) === letter) return value;
  return undefined;
}

/** The number that the digits `text[at … to)` write, or -1 if they are cut or no digits of the base. */
function readDigits(text: Uint8Array, at: number, to: number, end: number, base: number): number {
  if (to > end) return -1;
  let value = 0;
  for (let place = at; place < to; place += 1) {
    const digit = Number.parseInt(String.fromCharCode(text[place]), base);
    if (Number.isNaN(digit)) return -1;
    value = value * base + digit;
  }
  return value;
}
