/** Hex ids and base64 inside JSON texts, read straight from bytes. */

const hexValues = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value += 1) hexValues["0123456789abcdef".charCodeAt(value)] = value;

const base64Values = new Int8Array(256).fill(-1);
for (let value = 0; value < 64; value += 1) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  base64Values[digits.charCodeAt(value)] = value;
}
const padding = 0x3d;

/**
 * Reads the id that 64 lowercase hex digits at `bytes[start … end)` write into 32 bytes of `target` at
 * `at`; false if they write none.
 */
export function readHexId(
  bytes: Uint8Array,
  start: number,
  end: number,
  target: Uint8Array,
  at: number,
): boolean {
  if (end - start !== 64) return false;
  let problems = 0;
  for (let index = 0; index < 32; index += 1) {
    const high = hexValues[bytes[start + index * 2]];
    const low = hexValues[bytes[start + index * 2 + 1]];
    problems |= high | low;
    target[at + index] = (high << 4) | low;
  }
  return problems >= 0;
}

/**
 * The bytes that the padded standard base64 at `bytes[start … end)` stands for, or undefined if it is
 * none. Line breaks are not accepted.
 */
export function readBase64(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const digits = end - start;
  if (digits % 4 !== 0) return undefined;
  if (digits === 0) return new Uint8Array(0);
  const padded = bytes[end - 1] !== padding ? 0 : bytes[end - 2] !== padding ? 1 : 2;
  const value = new Uint8Array((digits / 4) * 3 - padded);
  const last = end - padded;
  let bits = 0;
  let held = 0;
  let length = 0;
  for (let at = start; at < last; at += 1) {
    const digit = base64Values[bytes[at]];
    if (digit < 0) return undefined;
    bits = ((bits << 6) | digit) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      value[length] = bits >>> held;
      length += 1;
    }
  }
  return value;
}
