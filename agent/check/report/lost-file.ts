/** Which failures to read one file say something about that file, and not about the store as a whole. */
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../../protocol/error-catalog.ts";

const lossTexts: Partial<Record<ErrorCode, string>> = {
  STORE_NOT_FOUND: "it is not there",
  STORE_RANGE: "it is shorter than when it was listed",
  STORE_BROKEN: "the storage device can't read it",
  STORE_DENIED: "the storage refuses access to it",
};

/**
 * What to say about a file that could not be had or decoded. An error that does not condemn the file, such as a
 * store that is out of reach or an abort, is thrown again.
 */
export function describeLoss(error: unknown): string {
  if (isBackstayError(error, "REPOSITORY_DAMAGED")) {
    const { problem, offset, field } = error.context;
    const place = field === undefined ? "" : ` (field ${field})`;
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    return `${problem ?? "it can't be decoded"}${place}${at}`;
  }
  const text = isBackstayError(error) ? lossTexts[error.code] : undefined;
  if (text === undefined) throw error;
  return text;
}

/** True if a file is gone, which is no damage where others may remove files meanwhile. */
export function isGone(error: unknown): boolean {
  return isBackstayError(error, "STORE_NOT_FOUND");
}
