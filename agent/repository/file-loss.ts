/** Which failures to read a file of the repository condemn that file only, and not the store as a whole. */
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";

const losses: ReadonlySet<ErrorCode> = new Set([
  "REPOSITORY_DAMAGED",
  "STORE_NOT_FOUND",
  "STORE_RANGE",
  "STORE_BROKEN",
  "STORE_DENIED",
]);

/** True if what was asked for can't be had from this file; others may be sound. */
export function isFileLoss(error: unknown): error is BackstayError {
  return isBackstayError(error) && losses.has(error.code);
}
