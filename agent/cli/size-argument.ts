/** Sizes on the command line, such as `10M`. */
import { BackstayError } from "../../protocol/backstay-error.ts";

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/**
 * A size in bytes: a whole number, and B, K, M, G or T (in either case) for powers of 1024. Throws USAGE that names the
 * option for anything else, and from 2^53 bytes.
 */
export function parseSize(text: string, option: string): number {
  const [, digits, unit] = /^\+?([0-9]+)([BKMGT]?)$/i.exec(text) ?? [];
  if (digits === undefined || unit === undefined) {
    throw badSize(text, option, "a size is a whole number with B, K, M, G or T, such as 10M");
  }
  const sizeBytes = Number(digits) * unitBytes[unit.toUpperCase()];
  if (!Number.isSafeInteger(sizeBytes)) throw badSize(text, option, "it is too large");
  return sizeBytes;
}

function badSize(text: string, option: string, reason: string): BackstayError {
  return new BackstayError("USAGE", { option, value: text.slice(0, 100), reason });
}
