/**
 * File calls that some systems have and Node does not offer. Durable writing does without those that are
 * absent. They reject like Node's calls, with an error that has `code`; no error code means the same on
 * all file systems, so "not supported" is any of ENOTSUP, EINVAL, ENOSYS and EISDIR.
 */
import type { FileHandle } from "node:fs/promises";

export interface ExtraFileCalls {
  /** Opens a new file in `directory` that has no name: it vanishes with its process. */
  readonly openUnnamed?: (directory: string, mode: number) => Promise<FileHandle>;
  /** Gives such a file its name; EEXIST if that is taken. */
  readonly linkUnnamed?: (file: FileHandle, path: string) => Promise<void>;
  /** Renames unless the new name is taken (EEXIST), without a race. */
  readonly renameToFree?: (from: string, to: string) => Promise<void>;
  /** Switches the system's cache off or on for writes to `file`; false if that can't be. Does not wait. */
  readonly setUnbuffered?: (file: FileHandle, isUnbuffered: boolean) => boolean;
}

/** True if `error` has one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
