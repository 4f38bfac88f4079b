/** The C library's calls that writing a Linux file system needs, beside those of libc.ts; in the same style. */
import { constants } from "node:fs";
import { declareCall } from "./libc.ts";

/** Flags of `openat` beside those of libc.ts. */
export const writeFlags = {
  writeOnly: constants.O_WRONLY,
  readWrite: constants.O_RDWR,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
  direct: constants.O_DIRECT,
  /** O_PATH: a descriptor that only names an entry. */
  entry: 0o10000000,
} as const;

/** Flag of `unlinkat` for directories. */
export const removeDirectoryFlag = 0x200;

/** `openat2`: its number is the same on every processor. */
export const openat2Number = 437;

/** How `openat2` resolves a path: below the directory, no symlinks, no links of /proc. */
export const resolveStrictly = 0x08 | 0x04 | 0x02;

/** The calls. An `address` is a number from native-memory.ts; results are below 0 on failure. */
export interface TargetCalls {
  openat2(
    callNumber: number,
    directory: number,
    pathAddress: number,
    howAddress: number,
    howBytes: number,
  ): number;
  pwrite(descriptor: number, address: number, length: number, position: number): number;
  ftruncate(descriptor: number, size: number): number;
  mkdirat(directory: number, nameAddress: number, mode: number): number;
  mknodat(directory: number, nameAddress: number, mode: number, device: number): number;
  symlinkat(targetAddress: number, directory: number, nameAddress: number): number;
  linkat(
    fromDirectory: number,
    fromAddress: number,
    toDirectory: number,
    toAddress: number,
    flags: number,
  ): number;
  renameat(
    fromDirectory: number,
    fromAddress: number,
    toDirectory: number,
    toAddress: number,
  ): number;
  unlinkat(directory: number, nameAddress: number, flags: number): number;
  fchownat(directory: number, nameAddress: number, uid: number, gid: number, flags: number): number;
  fchmod(descriptor: number, mode: number): number;
  chmod(pathAddress: number, mode: number): number;
  futimens(descriptor: number, timesAddress: number): number;
  utimensat(directory: number, nameAddress: number, timesAddress: number, flags: number): number;
  listxattr(pathAddress: number, address: number, length: number): number;
  getxattr(pathAddress: number, nameAddress: number, address: number, length: number): number;
  fsetxattr(
    descriptor: number,
    nameAddress: number,
    address: number,
    length: number,
    flags: number,
  ): number;
  setxattr(
    pathAddress: number,
    nameAddress: number,
    address: number,
    length: number,
    flags: number,
  ): number;
  fremovexattr(descriptor: number, nameAddress: number): number;
  removexattr(pathAddress: number, nameAddress: number): number;
  fstatfs(descriptor: number, address: number): number;
  syncfs(descriptor: number): number;
}

let calls: TargetCalls | undefined;

/** The calls, declared at first use: the module can be imported on any system. */
export function targetCalls(): TargetCalls {
  calls ??= declareCalls();
  return calls;
}

function declareCalls(): TargetCalls {
  const address = "int64";
  return {
    openat2: declareCall("syscall", "int64", ["int64", "int64", address, address, "int64"]),
    pwrite: declareCall("pwrite64", "int64", ["int", address, "int64", "int64"]),
    ftruncate: declareCall("ftruncate64", "int", ["int", "int64"]),
    mkdirat: declareCall("mkdirat", "int", ["int", address, "uint"]),
    mknodat: declareCall("mknodat", "int", ["int", address, "uint", "int64"]),
    symlinkat: declareCall("symlinkat", "int", [address, "int", address]),
    linkat: declareCall("linkat", "int", ["int", address, "int", address, "int"]),
    renameat: declareCall("renameat", "int", ["int", address, "int", address]),
    unlinkat: declareCall("unlinkat", "int", ["int", address, "int"]),
    fchownat: declareCall("fchownat", "int", ["int", address, "uint", "uint", "int"]),
    fchmod: declareCall("fchmod", "int", ["int", "uint"]),
    chmod: declareCall("chmod", "int", [address, "uint"]),
    futimens: declareCall("futimens", "int", ["int", address]),
    utimensat: declareCall("utimensat", "int", ["int", address, address, "int"]),
    listxattr: declareCall("listxattr", "int64", [address, address, "int64"]),
    getxattr: declareCall("getxattr", "int64", [address, address, address, "int64"]),
    fsetxattr: declareCall("fsetxattr", "int", ["int", address, address, "int64", "int"]),
    setxattr: declareCall("setxattr", "int", [address, address, address, "int64", "int"]),
    fremovexattr: declareCall("fremovexattr", "int", ["int", address]),
    removexattr: declareCall("removexattr", "int", [address, address]),
    fstatfs: declareCall("fstatfs64", "int", ["int", address]),
    syncfs: declareCall("syncfs", "int", ["int"]),
  };
}
