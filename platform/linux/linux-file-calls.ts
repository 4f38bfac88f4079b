/**
 * Linux: unnamed files (O_TMPFILE), naming them (linkat), renaming without replacing (renameat2), and
 * unbuffered writes (O_DIRECT). Calls that touch the disk run on pool threads.
 */
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { getSystemErrorName } from "node:util";
import koffi, { type LibraryHandle } from "koffi";
import type { ExtraFileCalls } from "../node/extra-file-calls.ts";
import type { FileCalls } from "../node/file-calls.ts";

type NativeFunction = ReturnType<LibraryHandle["func"]>;

const currentDirectory = -100;
const followSymlink = 0x400;
const noReplace = 1;
const setStatusFlags = 4;
/** The bit beside O_DIRECTORY that makes O_TMPFILE; Node knows only the latter, which differs by processor. */
const unnamedFlag = 0o20000000 | constants.O_DIRECTORY;

/** Undefined where the C library lacks one of the calls. */
export function openLinuxFileCalls(calls: FileCalls): ExtraFileCalls | undefined {
  try {
    const library = koffi.load(null);
    const linkat = library.func("int linkat(int, str, int, str, int)");
    const renameat2 = library.func("int renameat2(int, str, int, str, uint)");
    const fcntl = library.func("int fcntl(int, int, ...)");
    return {
      openUnnamed: (directory, mode) =>
        calls.open(directory, constants.O_WRONLY | unnamedFlag, mode),
      linkUnnamed: async (file, path) =>
        await inPool(linkat, "linkat", path, [
          currentDirectory,
          `/proc/self/fd/${file.fd}`,
          currentDirectory,
          path,
          followSymlink,
        ]),
      renameToFree: async (from, to) =>
        await inPool(renameat2, "renameat2", to, [
          currentDirectory,
          from,
          currentDirectory,
          to,
          noReplace,
        ]),
      setUnbuffered: (file, isUnbuffered) => setUnbuffered(fcntl, file, isUnbuffered),
    };
  } catch {
    return undefined;
  }
}

function setUnbuffered(fcntl: NativeFunction, file: FileHandle, isUnbuffered: boolean): boolean {
  const flags = isUnbuffered ? constants.O_DIRECT : 0;
  return fcntl(file.fd, setStatusFlags, "int", flags) === 0;
}

function inPool(
  call: NativeFunction,
  syscall: string,
  path: string,
  values: readonly (number | string)[],
): Promise<void> {
  return new Promise((resolve, reject) => {
    call.async(...values, (failure: Error | null, result: number) => {
      if (failure === null && result === 0) return resolve();
      if (failure !== null) return reject(failure);
      const errno = -koffi.errno();
      const code = getSystemErrorName(errno);
      reject(
        Object.assign(new Error(`${syscall} ${path}: ${code}`), { code, errno, syscall, path }),
      );
    });
  });
}
