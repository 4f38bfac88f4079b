/** What SQLite and the file system say about the state, in the words of the error catalogue. */
import { closeSync, fsyncSync, openSync, unlinkSync, writeSync } from "node:fs";
import path from "node:path";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";

const codes: readonly (readonly [RegExp, ErrorCode])[] = [
  [/^SQLITE_FULL|^SQLITE_IOERR_SHMSIZE$|^ENOSPC$|^EDQUOT$/, "STATE_FULL"],
  [/^SQLITE_CORRUPT|^SQLITE_NOTADB$/, "STATE_DAMAGED"],
  [/^SQLITE_BUSY|^SQLITE_LOCKED/, "STATE_BUSY"],
  [
    /^SQLITE_(?:READONLY|CANTOPEN|PERM|AUTH)|^(?:EROFS|EACCES|EPERM|ENOENT|ENOTDIR|ELOOP|EISDIR|EEXIST)$/,
    "STATE_READ_ONLY",
  ],
  [/^SQLITE_IOERR|^(?:EIO|ENXIO|ENODEV|ESTALE|ETIMEDOUT)$/, "STATE_BROKEN"],
];

/** A trouble of the disk that state lies on; undefined for anything else, which is a mistake of ours. */
export function stateError(error: unknown, folder: string): BackstayError | undefined {
  if (error instanceof BackstayError) return error;
  const code = systemCode(error);
  const known = codes.find(([pattern]) => pattern.test(code))?.[1];
  if (known === undefined) return undefined;
  // SQLite can't say why it could not make one of its files.
  const isVague = /^SQLITE_(?:CANTOPEN|IOERR)/.test(code);
  return new BackstayError(
    (isVague ? probed(folder) : undefined) ?? known,
    { folder, error: code },
    error,
  );
}

function systemCode(error: unknown): string {
  const code: unknown = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** What happens to a file of 64 KiB there; undefined if it can be written. */
function probed(folder: string): ErrorCode | undefined {
  const file = path.join(folder, `state.probe-${process.pid}`);
  try {
    const descriptor = openSync(file, "w", 0o600);
    try {
      writeSync(descriptor, new Uint8Array(65_536));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
      unlinkSync(file);
    }
    return undefined;
  } catch (error) {
    const code = systemCode(error);
    return codes.find(([pattern]) => pattern.test(code))?.[1];
  }
}
