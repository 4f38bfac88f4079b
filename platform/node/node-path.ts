/** Raw path bytes as Node's file calls take them on this system, and their errors as the ports want them. */
import { FileError } from "../ports/source-files.ts";

const isWindows = process.platform === "win32";
const separator = isWindows ? 0x5c : 0x2f;
const slash = 0x2f;
const backslash = 0x5c;
const colon = 0x3a;

/**
 * What to give to Node for a path in raw bytes. On Windows that is a string, because Node lifts the limit of 260
 * characters only for strings; bytes that no string can hold stay bytes.
 */
export function nodePath(path: Uint8Array): string | Buffer {
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.length);
  if (isWindows) {
    const text = bytes.toString();
    if (Buffer.from(text).equals(bytes)) {
      return text;
    }
  }
  return bytes;
}

/** `directory`, a separator, `name`. */
export function childPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const isSeparated = directory.length === 0 || isSeparator(directory.at(-1));
  const parts = isSeparated ? [directory, name] : [directory, Uint8Array.of(separator), name];
  return Buffer.concat(parts);
}

/** Runs a call of Node's fs; its failure becomes a FileError about `path`. */
export function callNode<T>(path: Uint8Array, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translate(error, path);
  }
}

function translate(error: unknown, path: Uint8Array): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return error;
  }
  const text = Buffer.from(path).toString();
  if (error.code === "ERR_INVALID_ARG_VALUE") {
    // A zero byte in the path.
    return new FileError("EINVAL", "open", text);
  }
  const call = "syscall" in error && typeof error.syscall === "string" ? error.syscall : "fs";
  return /^E[A-Z0-9]+$/.test(error.code) ? new FileError(error.code, call, text) : error;
}

/** A separator at the end would make the system follow a symlink. The root keeps its own. */
export function withoutTrailingSeparators(path: Uint8Array): Uint8Array {
  let end = path.length;
  while (end > 1 && isSeparator(path[end - 1]) && !(isWindows && path[end - 2] === colon)) {
    end--;
  }
  return end === path.length ? path : path.subarray(0, end);
}

function isSeparator(byte: number | undefined): boolean {
  return byte === slash || (isWindows && byte === backslash);
}
