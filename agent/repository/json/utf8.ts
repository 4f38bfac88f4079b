/** UTF-8 as Go reads it: a byte that starts no valid character stands alone as one invalid byte. */

/** What `decodeRune` answers for an invalid byte. */
export const invalidRune = -1;

const textEncoder = new TextEncoder();
const textDecoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * The character that starts at `bytes[at]`, as `code point · 8 + length in bytes`, or `invalidRune`
 * where no valid character starts (overlong forms, surrogates and cut sequences included). `at < end`.
 */
export function decodeRune(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first < 0x80) return first * 8 + 1;
  if (first < 0xc2 || first > 0xf4 || at + 1 >= end) return invalidRune;
  const second = bytes[at + 1];
  if ((second & 0xc0) !== 0x80) return invalidRune;
  if (first < 0xe0) return (((first & 0x1f) << 6) | (second & 0x3f)) * 8 + 2;
  if (at + 2 >= end || (bytes[at + 2] & 0xc0) !== 0x80) return invalidRune;
  const third = bytes[at + 2] & 0x3f;
  if (first < 0xf0) {
    const point = ((first & 0x0f) << 12) | ((second & 0x3f) << 6) | third;
    return point < 0x800 || (point >= 0xd800 && point < 0xe000) ? invalidRune : point * 8 + 3;
  }
  if (at + 3 >= end || (bytes[at + 3] & 0xc0) !== 0x80) return invalidRune;
  const point =
    ((first & 0x07) << 18) | ((second & 0x3f) << 12) | (third << 6) | (bytes[at + 3] & 0x3f);
  return point < 0x10000 || point > 0x10ffff ? invalidRune : point * 8 + 4;
}

/**
 * Writes a code point (no surrogate) as UTF-8 at `at`, where room for 4 bytes must be, and returns the
 * place after it.
 */
export function writeRune(target: Uint8Array, at: number, point: number): number {
  if (point < 0x80) {
    target[at] = point;
    return at + 1;
  }
  if (point < 0x800) {
    target[at] = 0xc0 | (point >>> 6);
    target[at + 1] = 0x80 | (point & 0x3f);
    return at + 2;
  }
  if (point < 0x10000) {
    target[at] = 0xe0 | (point >>> 12);
    target[at + 1] = 0x80 | ((point >>> 6) & 0x3f);
    target[at + 2] = 0x80 | (point & 0x3f);
    return at + 3;
  }
  target[at] = 0xf0 | (point >>> 18);
  target[at + 1] = 0x80 | ((point >>> 12) & 0x3f);
  target[at + 2] = 0x80 | ((point >>> 6) & 0x3f);
  target[at + 3] = 0x80 | (point & 0x3f);
  return at + 4;
}

/** True if `bytes[start … end)` is valid UTF-8. */
export function isUtf8(bytes: Uint8Array, start = 0, end = bytes.length): boolean {
  for (let at = start; at < end; ) {
    const rune = decodeRune(bytes, at, end);
    if (rune === invalidRune) return false;
    at += rune & 7;
  }
  return true;
}

/** The UTF-8 bytes of a string; a lone surrogate becomes U+FFFD. */
export function utf8Bytes(text: string): Uint8Array {
  return textEncoder.encode(text);
}

/**
 * The string of UTF-8 bytes; each invalid byte becomes one U+FFFD, as in Go. (A TextDecoder makes one of several
 * bytes of a cut character, and paths in snapshots would then differ from those that restic writes.)
 */
export function utf8Text(bytes: Uint8Array): string {
  const text = textDecoder.decode(bytes);
  if (!text.includes("\ufffd") || isUtf8(bytes)) return text;
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at < bytes.length; ) {
    const rune = decodeRune(bytes, at, bytes.length);
    if (rune !== invalidRune) {
      at += rune & 7;
      continue;
    }
    parts.push(textDecoder.decode(bytes.subarray(start, at)), "\ufffd");
    at += 1;
    start = at;
  }
  parts.push(textDecoder.decode(bytes.subarray(start)));
  return parts.join("");
}
