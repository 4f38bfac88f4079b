/** Paths in raw bytes, and errors about them. */
import { FileError } from "../ports/source-files.ts";
import { lastErrorName } from "./libc.ts";

const slash = 0x2f;

/** `directory/name` in raw bytes. */
export function joinPath(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const between = directory.length > 0 && directory[directory.length - 1] !== slash ? 1 : 0;
  const path = new Uint8Array(directory.length + between + name.length);
  path.set(directory);
  if (between === 1) {
    path[directory.length] = slash;
  }
  path.set(name, directory.length + between);
  return path;
}

/** A FileError about entry `name` of the directory, or about the directory itself. */
export function fileError(
  code: string,
  call: string,
  directoryPath: Uint8Array,
  name: Uint8Array | undefined,
): FileError {
  const path = name === undefined ? directoryPath : joinPath(directoryPath, name);
  return new FileError(code, call, Buffer.from(path).toString());
}

/** The same for the call that just failed on this thread. */
export function lastFileError(
  call: string,
  directoryPath: Uint8Array,
  name: Uint8Array | undefined,
): FileError {
  return fileError(lastErrorName(), call, directoryPath, name);
}
