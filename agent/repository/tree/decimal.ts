/** Decimal digits of integers, written straight into bytes, two digits at a time. */

const wordValues = 4294967296;
const billion = 1_000_000_000;

/** The two digits of 0 … 99 as they lie in memory, low byte first. */
const digitPairs = new Int16Array(100);
for (let value = 0; value < 100; value += 1) {
  digitPairs[value] = 0x3030 + Math.floor(value / 10) + (value % 10) * 256;
}

/**
 * Writes the digits of an integer 0 … 2^53-1 at `at` (room for 16 bytes must be there) and returns the
 * place after them.
 */
export function writeDecimal(target: DataView, at: number, value: number): number {
  if (value < billion) return writeSmall(target, at, value | 0);
  const head = Math.floor(value / billion);
  return writePadded(target, writeSmall(target, at, head), (value - head * billion) | 0, 9);
}

/**
 * Writes the digits of the u64 `high · 2^32 + low` (both u32) at `at` (room for 20 bytes must be there)
 * and returns the place after them.
 */
export function writeDecimalU64(target: DataView, at: number, low: number, high: number): number {
  if (high < 0x200000) return writeDecimal(target, at, high * wordValues + low);
  // Division by 10^9 in two steps of 16 bits, so that every part stays below 2^53.
  const middle = (high % billion) * 65536 + (low >>> 16);
  const last = (middle % billion) * 65536 + (low & 0xffff);
  const remainder = last % billion;
  const quotient =
    Math.floor(high / billion) * wordValues +
    Math.floor(middle / billion) * 65536 +
    Math.floor(last / billion);
  return writePadded(target, writeDecimal(target, at, quotient), remainder | 0, 9);
}

/**
 * Writes exactly `digits` digits of an integer 0 … 2^31-1, with leading zeros, and returns the place
 * after them.
 */
export function writePadded(target: DataView, at: number, value: number, digits: number): number {
  let rest = value | 0;
  let place = at + digits;
  while (place - at >= 2) {
    const hundredth = (rest / 100) | 0;
    place -= 2;
    writeTwo(target, place, rest - hundredth * 100);
    rest = hundredth;
  }
  if (place > at) target.setUint8(at, 0x30 + rest);
  return at + digits;
}

/** Writes the two digits of 0 … 99. */
export function writeTwo(target: DataView, at: number, value: number): void {
  target.setInt16(at, digitPairs[value], true);
}

function writeSmall(target: DataView, at: number, value: number): number {
  let digits = 1;
  if (value >= 10000) digits = value >= 1_000_000 ? (value >= 100_000_000 ? 9 : 7) : 5;
  else if (value >= 100) digits = 3;
  if (value >= powersOfTen[digits]) digits += 1;
  return writePadded(target, at, value, digits);
}

const powersOfTen = new Int32Array([1, 10, 100, 1000, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]);
