/**
 * The arguments of this process without loss. Systems with byte arguments may pass bytes that are not UTF-8;
 * in the strings given here each such byte is a lone surrogate U+DC80 … U+DCFF, which `argumentBytes` undoes.
 */
import { readFileSync } from "node:fs";

const firstSurrogate = 0xdc00;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What follows the name of the script. */
export function processArguments(): string[] {
  const known = process.argv.slice(2);
  if (process.platform !== "linux" || !known.some((text) => text.includes("\ufffd"))) return known;
  const raw = rawArguments();
  if (raw.length < known.length) return known;
  return raw.slice(raw.length - known.length).map(textOf);
}

/** The bytes that an argument of `processArguments` stands for. */
export function argumentBytes(text: string): Uint8Array {
  if (text.isWellFormed()) return new TextEncoder().encode(text);
  const parts: Uint8Array[] = [];
  for (const character of text) {
    const byte = (character.codePointAt(0) ?? 0) - firstSurrogate;
    parts.push(byte >= 0x80 && byte <= 0xff ? Uint8Array.of(byte) : Buffer.from(character));
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** The text of bytes, in the form of `processArguments`. */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    // Not UTF-8 as a whole: character by character below.
  }
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at);
    text +=
      length === 0
        ? String.fromCharCode(firstSurrogate + bytes[at])
        : decoder.decode(bytes.subarray(at, at + length));
    at += Math.max(1, length);
  }
  return text;
}

/** Bytes of the valid character that begins at `at`; 0 if none does. */
function characterLength(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length += 1) {
    try {
      decoder.decode(bytes.subarray(at, at + length));
      return length;
    } catch {
      // Too short, or no character at all.
    }
  }
  return 0;
}

function rawArguments(): Uint8Array[] {
  const found: Uint8Array[] = [];
  let bytes: Uint8Array;
  try {
    bytes = readFileSync("/proc/self/cmdline");
  } catch {
    return found;
  }
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    if (end < 0) break;
    found.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return found;
}
