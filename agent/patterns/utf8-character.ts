/** Raw names seen as characters: a valid UTF-8 sequence is one, and so is each byte that is part of none. */

/** Codes from here on stand for one byte that is not part of valid UTF-8: `rawByteCode + byte`. */
export const rawByteCode = 0x110000;

/**
 * The character at `at`, packed as `code * 8 + width`, with its width in bytes (1 to 4). `at` must be below `end`.
 * Overlong forms, surrogates and codes above U+10FFFF are invalid, so each of their bytes counts alone.
 */
export function characterAt(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first < 0x80) return (first << 3) | 1;
  let character = 0;
  if (first >= 0xc2 && first < 0xe0) character = twoBytes(bytes, at, end);
  else if (first >= 0xe0 && first < 0xf0) character = threeBytes(bytes, at, end);
  else if (first >= 0xf0 && first < 0xf5) character = fourBytes(bytes, at, end);
  return character === 0 ? ((rawByteCode + first) << 3) | 1 : character;
}

function twoBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 1 >= end || !isContinuation(bytes[at + 1])) return 0;
  return ((((bytes[at] & 0x1f) << 6) | (bytes[at + 1] & 0x3f)) << 3) | 2;
}

function threeBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 >= end || !isContinuation(bytes[at + 1]) || !isContinuation(bytes[at + 2])) return 0;
  const code = ((bytes[at] & 0x0f) << 12) | ((bytes[at + 1] & 0x3f) << 6) | (bytes[at + 2] & 0x3f);
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return code < 0x800 || isSurrogate ? 0 : (code << 3) | 3;
}

function fourBytes(bytes: Uint8Array, at: number, end: number): number {
  if (at + 3 >= end) return 0;
  for (let next = at + 1; next <= at + 3; next++) if (!isContinuation(bytes[next])) return 0;
  const high = ((bytes[at] & 0x07) << 18) | ((bytes[at + 1] & 0x3f) << 12);
  const code = high | ((bytes[at + 2] & 0x3f) << 6) | (bytes[at + 3] & 0x3f);
  return code < 0x10000 || code >= rawByteCode ? 0 : (code << 3) | 4;
}

/** Writes the bytes of a character code to `target` at `at`, where 4 bytes must be free; returns how many it wrote. */
export function writeCharacter(code: number, target: Uint8Array, at: number): number {
  if (code < 0x80) {
    target[at] = code;
    return 1;
  }
  if (code >= rawByteCode) {
    target[at] = code - rawByteCode;
    return 1;
  }
  if (code < 0x800) {
    target[at] = 0xc0 | (code >> 6);
    target[at + 1] = 0x80 | (code & 0x3f);
    return 2;
  }
  if (code < 0x10000) {
    target[at] = 0xe0 | (code >> 12);
    target[at + 1] = 0x80 | ((code >> 6) & 0x3f);
    target[at + 2] = 0x80 | (code & 0x3f);
    return 3;
  }
  target[at] = 0xf0 | (code >> 18);
  target[at + 1] = 0x80 | ((code >> 12) & 0x3f);
  target[at + 2] = 0x80 | ((code >> 6) & 0x3f);
  target[at + 3] = 0x80 | (code & 0x3f);
  return 4;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
