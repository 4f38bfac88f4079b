/** Sizes on the command line, such as `10M`. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { bytesOfShortSize } from "../../protocol/size-text.ts";

/**
 * A size in bytes: a whole number, and B, K, M, G or T (in either case) for powers of 1024. Throws USAGE that names the
 * option for anything else, and from 2^53 bytes.
 */
export function parseSize(text: string, option: string): number {
  const sizeBytes = bytesOfShortSize(text);
  if (sizeBytes === undefined)
    throw badSize(text, option, "a size is a whole number with B, K, M, G or T, such as 10M");
  if (!Number.isSafeInteger(sizeBytes)) throw badSize(text, option, "it is too large");
  return sizeBytes;
}

function badSize(text: string, option: string, reason: string): BackstayError {
  return new BackstayError("USAGE", { option, value: text.slice(0, 100), reason });
}
