/** Decimal digits of integers, written straight into bytes. */

const wordValues = 4294967296;
const billion = 1_000_000_000;

/**
 * Writes the digits of an integer 0 … 2^53-1 at `at` (room for 16 bytes must be there) and returns the
 * place after them.
 */
export function writeDecimal(target: Uint8Array, at: number, value: number): number {
  if (value < billion) return writeSmall(target, at, value | 0);
  const head = Math.floor(value / billion);
  return writePadded(target, writeSmall(target, at, head), (value - head * billion) | 0, 9);
}

/**
 * Writes the digits of the u64 `high · 2^32 + low` (both u32) at `at` (room for 20 bytes must be there)
 * and returns the place after them.
 */
export function writeDecimalU64(target: Uint8Array, at: number, low: number, high: number): number {
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
export function writePadded(target: Uint8Array, at: number, value: number, digits: number): number {
  let rest = value | 0;
  for (let place = at + digits - 1; place >= at; place -= 1) {
    const tenth = (rest / 10) | 0;
    target[place] = 0x30 + (rest - tenth * 10);
    rest = tenth;
  }
  return at + digits;
}

function writeSmall(target: Uint8Array, at: number, value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit && digits < 9; limit *= 10) digits += 1;
  return writePadded(target, at, value, digits);
}
