/** Turns the system's file errors into those of the catalogue. Nobody above the local store sees the former. */
import { constants } from "node:os";
import {
  BackstayError,
  type ErrorContext,
  isBackstayError,
} from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";

const codeOfErrno: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "STORE_NOT_FOUND",
  ENOSPC: "STORE_FULL",
  EDQUOT: "STORE_FULL",
  EFBIG: "STORE_FULL",
  EACCES: "STORE_DENIED",
  EPERM: "STORE_DENIED",
  EROFS: "STORE_DENIED",
  ENOTDIR: "STORE_DENIED",
  EISDIR: "STORE_DENIED",
  ELOOP: "STORE_DENIED",
  ENAMETOOLONG: "STORE_DENIED",
  EIO: "STORE_BROKEN",
  EUCLEAN: "STORE_BROKEN",
  ENXIO: "STORE_BROKEN",
};

/** The errno name of a system error; Node calls quota errors UNKNOWN, so those are known by number. */
export function systemErrorName(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  if ("errno" in error && error.errno === -constants.errno.EDQUOT) return "EDQUOT";
  return typeof error.code === "string" ? error.code : undefined;
}

/**
 * The BackstayError for a failed file call, STORE_UNAVAILABLE if the system's error is of no lasting
 * kind (too many open files, a network mount that stalls). Errors of the catalogue and aborts pass as they are.
 */
export function toStoreError(error: unknown, context: ErrorContext): unknown {
  const name = systemErrorName(error);
  if (name === undefined || name === "ABORT_ERR" || isBackstayError(error)) return error;
  const code = codeOfErrno[name] ?? "STORE_UNAVAILABLE";
  return new BackstayError(code, { ...context, system: name }, error);
}
