/**
 * The C library's calls that reading a Linux file system needs, through koffi, typed in one place.
 *
 * Calls take plain numbers only: descriptors, flags, and addresses of memory that the caller keeps
 * alive (see native-memory.ts). That is the cheapest way through koffi, about 0.3 µs a call.
 * A negative result means failure; `lastErrorName()` must be asked at once, before anything else runs.
 */
import { constants as fileConstants } from "node:fs";
import { constants as systemConstants } from "node:os";
import koffi from "koffi";

/** A descriptor argument that means the working directory. */
export const currentDirectory = -100;

/** Flags of `openat`; the values differ between processors, so they come from Node. */
export const openFlags = {
  readOnly: fileConstants.O_RDONLY,
  directory: fileConstants.O_DIRECTORY,
  noFollow: fileConstants.O_NOFOLLOW,
  nonBlocking: fileConstants.O_NONBLOCK,
  noControllingTerminal: fileConstants.O_NOCTTY,
  noAccessTime: fileConstants.O_NOATIME,
  closeOnExec: 0o2000000,
  /** A name in the file system, to look below and nothing else. */
  path: 0o10000000,
} as const;

/** Flags of the `…at` calls. */
export const atFlags = {
  symlinkNoFollow: 0x100,
  noAutomount: 0x800,
  emptyPath: 0x1000,
} as const;

export const seekWhence = { set: 0, end: 2, data: 3, hole: 4 } as const;

export const fileAdvice = { sequential: 2, noReuse: 5 } as const;

/** The calls. An `address` is a number from native-memory.ts; results are numbers, below 0 on failure. */
export interface Libc {
  openat(directory: number, pathAddress: number, flags: number, mode: number): number;
  close(descriptor: number): number;
  statx(
    directory: number,
    pathAddress: number,
    flags: number,
    mask: number,
    address: number,
  ): number;
  pread(descriptor: number, address: number, length: number, position: number): number;
  /** Beyond 2^53 the result is a bigint. */
  lseek(descriptor: number, offset: number, whence: number): number | bigint;
  readlinkat(directory: number, pathAddress: number, address: number, length: number): number;
  getdents64(descriptor: number, address: number, length: number): number;
  flistxattr(descriptor: number, address: number, length: number): number;
  fgetxattr(descriptor: number, nameAddress: number, address: number, length: number): number;
  llistxattr(pathAddress: number, address: number, length: number): number;
  lgetxattr(pathAddress: number, nameAddress: number, address: number, length: number): number;
  /** Returns the error number itself, not -1. */
  posix_fadvise(descriptor: number, offset: number, length: number, advice: number): number;
  /** These two return the error number itself; `resultAddress` receives a pointer, 0 if there is no such id. */
  getpwuid_r(
    uid: number,
    address: number,
    stringsAddress: number,
    stringsLength: number,
    resultAddress: number,
  ): number;
  getgrgid_r(
    gid: number,
    address: number,
    stringsAddress: number,
    stringsLength: number,
    resultAddress: number,
  ): number;
}

type NativeLibrary = ReturnType<typeof koffi.load>;
type ArgumentType = "int" | "uint" | "int64";

let library: NativeLibrary | undefined;
let calls: Libc | undefined;

/** Declares one more function of the C library, for callers with needs of their own. Throws if it has none of that name. */
export function declareCall(
  name: string,
  result: ArgumentType,
  argumentTypes: readonly ArgumentType[],
): (...values: number[]) => number {
  library ??= koffi.load(null);
  return library.func(name, result, [...argumentTypes]) as (...values: number[]) => number;
}

/** The calls, declared at first use: the module can be imported on any system. */
export function libc(): Libc {
  calls ??= declareCalls();
  return calls;
}

function declareCalls(): Libc {
  const lookUp = ["uint", "int64", "int64", "int64", "int64"] as const;
  return {
    openat: declareCall("openat", "int", ["int", "int64", "int", "uint"]),
    close: declareCall("close", "int", ["int"]),
    statx: declareCall("statx", "int", ["int", "int64", "int", "uint", "int64"]),
    pread: declareCall("pread", "int64", ["int", "int64", "int64", "int64"]),
    lseek: declareCall("lseek", "int64", ["int", "int64", "int"]),
    readlinkat: declareCall("readlinkat", "int64", ["int", "int64", "int64", "int64"]),
    getdents64: declareGetdents(),
    flistxattr: declareCall("flistxattr", "int64", ["int", "int64", "int64"]),
    fgetxattr: declareCall("fgetxattr", "int64", ["int", "int64", "int64", "int64"]),
    llistxattr: declareCall("llistxattr", "int64", ["int64", "int64", "int64"]),
    lgetxattr: declareCall("lgetxattr", "int64", ["int64", "int64", "int64", "int64"]),
    posix_fadvise: declareCall("posix_fadvise", "int", ["int", "int64", "int64", "int"]),
    getpwuid_r: declareCall("getpwuid_r", "int", lookUp),
    getgrgid_r: declareCall("getgrgid_r", "int", lookUp),
  };
}

/** C libraries older than glibc 2.30 have no getdents64; its number differs by processor. */
function declareGetdents(): Libc["getdents64"] {
  try {
    return declareCall("getdents64", "int64", ["int", "int64", "int64"]);
  } catch {
    const systemCall = declareCall("syscall", "int64", ["int64", "int64", "int64", "int64"]);
    const callNumber = process.arch === "x64" ? 217 : 61;
    return (descriptor, address, length) => systemCall(callNumber, descriptor, address, length);
  }
}

/** Errors of file systems that Node has no name for. */
const errorNames = new Map<number, string>([
  [108, "ESHUTDOWN"],
  [112, "EHOSTDOWN"],
  [117, "EUCLEAN"],
  [121, "EREMOTEIO"],
  [123, "ENOMEDIUM"],
  [126, "ENOKEY"],
]);
for (const [name, value] of Object.entries(systemConstants.errno)) {
  // EAGAIN and EWOULDBLOCK, ENOTSUP and EOPNOTSUPP share a number: the first keeps it.
  if (!errorNames.has(value)) {
    errorNames.set(value, name);
  }
}

/** The error number of the call that just failed on this thread. */
export function lastErrorNumber(): number {
  return koffi.errno();
}

/** The name, such as `ENOENT`, of the error of the call that just failed on this thread. */
export function lastErrorName(): string {
  return errorName(koffi.errno());
}

/** `E` and the number where the system has an error that Node does not name. */
export function errorName(errorNumber: number): string {
  return errorNames.get(errorNumber) ?? `E${errorNumber}`;
}
