/**
 * A growing byte buffer for text that is written hundreds of thousands of times a second: numbers, hex
 * and base64 go from bytes to bytes by table, and no string is made on the way.
 */
import { writeDecimal, writeDecimalU64 } from "./decimal.ts";

/** Above this size the buffer grows by half of itself instead of doubling. */
const gentleGrowthBytes = 64 * 1024 * 1024;
/** Longer runs than this are copied by the runtime, shorter ones by a loop. */
const loopCopyBytes = 96;

/** The two hex digits of a byte as they lie in memory, low byte first. */
const hexPairs = new Int16Array(256);
for (let value = 0; value < 256; value += 1) {
  const text = value.toString(16).padStart(2, "0");
  hexPairs[value] = text.charCodeAt(0) | (text.charCodeAt(1) << 8);
}

const base64Digits = new Uint8Array(64);
for (let value = 0; value < 64; value += 1) {
  base64Digits[value] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".charCodeAt(value);
}
const paddingDigit = 0x3d;

/**
 * Bytes written so far are `bytes[0 … length)`; `view` sees the same memory. Both are replaced when the
 * buffer grows, so never keep them over a call. A caller that drains the buffer sets `length` back to 0
 * and goes on.
 */
export class ByteWriter {
  bytes: Uint8Array;
  view: DataView;
  length = 0;

  /** `capacityBytes`: room at the start; it grows as needed. */
  constructor(capacityBytes = 64 * 1024) {
    this.bytes = new Uint8Array(Math.max(64, capacityBytes));
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes, so that the next writes of that many need no check. */
  ensure(count: number): void {
    if (this.length + count > this.bytes.length) this.#grow(this.length + count);
  }

  /** One byte, 0 … 255. */
  byte(value: number): void {
    this.ensure(1);
    this.bytes[this.length] = value;
    this.length += 1;
  }

  /** Characters below U+0080. */
  ascii(text: string): void {
    this.ensure(text.length);
    const bytes = this.bytes;
    let at = this.length;
    for (let index = 0; index < text.length; index += 1) {
      bytes[at] = text.charCodeAt(index);
      at += 1;
    }
    this.length = at;
  }

  /** The bytes `source[start … end)` as they are. */
  raw(source: Uint8Array, start = 0, end = source.length): void {
    this.ensure(end - start);
    this.length = copyBytes(this.bytes, this.length, source, start, end);
  }

  /** Decimal digits of an integer 0 … 2^53-1. */
  decimal(value: number): void {
    this.ensure(16);
    this.length = writeDecimal(this.view, this.length, value);
  }

  /** Decimal digits of the u64 `high · 2^32 + low`; both are u32. */
  decimalU64(low: number, high: number): void {
    this.ensure(20);
    this.length = writeDecimalU64(this.view, this.length, low, high);
  }

  /** `count` bytes of `source` from `start` as lowercase hex, without quotes. */
  hex(source: Uint8Array, start: number, count: number): void {
    this.ensure(2 * count);
    this.length = writeHex(this.view, this.length, source, start, count);
  }

  /** The bytes `source[start … end)` as standard base64 with padding, without quotes. */
  base64(source: Uint8Array, start = 0, end = source.length): void {
    this.ensure(4 * Math.ceil((end - start) / 3));
    this.length = writeBase64(this.bytes, this.length, source, start, end);
  }

  /** A view of what was written; valid until the next write. */
  written(): Uint8Array {
    return this.bytes.subarray(0, this.length);
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  #grow(neededBytes: number): void {
    const capacity = this.bytes.length;
    const factor = capacity < gentleGrowthBytes ? 2 : 1.5;
    const grown = new Uint8Array(Math.max(neededBytes, Math.ceil(capacity * factor)));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }
}

/** Copies `source[start … end)` to `target` at `at`, where room must be; returns the place after it. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  const count = end - start;
  if (count > loopCopyBytes) {
    target.set(source.subarray(start, end), at);
  } else {
    for (let index = 0; index < count; index += 1) target[at + index] = source[start + index];
  }
  return at + count;
}

/** Writes `count` bytes of `source` as lowercase hex at `at`; returns the place after it. */
export function writeHex(
  target: DataView,
  at: number,
  source: Uint8Array,
  start: number,
  count: number,
): number {
  let place = at;
  let index = start;
  const end = start + count;
  for (; index + 1 < end; index += 2) {
    const pair = (hexPairs[source[index]] & 0xffff) | (hexPairs[source[index + 1]] << 16);
    target.setInt32(place, pair, true);
    place += 4;
  }
  if (index < end) {
    target.setInt16(place, hexPairs[source[index]], true);
    place += 2;
  }
  return place;
}

/** Writes `source[start … end)` as padded standard base64 at `at`; returns the place after it. */
export function writeBase64(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  start: number,
  end: number,
): number {
  let place = at;
  let index = start;
  for (; index + 2 < end; index += 3) {
    const group = (source[index] << 16) | (source[index + 1] << 8) | source[index + 2];
    target[place] = base64Digits[group >>> 18];
    target[place + 1] = base64Digits[(group >>> 12) & 63];
    target[place + 2] = base64Digits[(group >>> 6) & 63];
    target[place + 3] = base64Digits[group & 63];
    place += 4;
  }
  if (index < end) {
    const two = index + 1 < end;
    const group = (source[index] << 16) | (two ? source[index + 1] << 8 : 0);
    target[place] = base64Digits[group >>> 18];
    target[place + 1] = base64Digits[(group >>> 12) & 63];
    target[place + 2] = two ? base64Digits[(group >>> 6) & 63] : paddingDigit;
    target[place + 3] = paddingDigit;
    place += 4;
  }
  return place;
}
