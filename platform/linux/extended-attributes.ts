/** Reads extended attributes: of open files by descriptor, of any other entry without opening it. */
import { constants as systemConstants } from "node:os";
import type { ExtendedAttribute } from "../ports/source-files.ts";
import { fileError, joinPath } from "./entry-path.ts";
import {
  atFlags,
  currentDirectory,
  declareCall,
  errorName,
  type Libc,
  lastErrorNumber,
  libc,
} from "./libc.ts";
import { NativeMemory, type PathMemory } from "./native-memory.ts";

/** The kernel returns neither lists nor values beyond this. */
const largestAnswerBytes = 64 * 1024;
/** Nearly every answer fits here, and the kernel clears as much memory as it is offered. */
const usualAnswerBytes = 1024;

/** Number of the system call listxattrat, the same on x64 and arm64; kernels before 6.13 don't have it. */
const listAtNumber = 465;

/** The file system has none, or does not tell. */
const noAttributes: ReadonlySet<string> = new Set(["ENOTSUP", "ENOSYS", "ENODATA", "EPERM"]);

/** Vanished since they were listed, or not for us: what can be read of an entry is still worth keeping. */
const unreadableAttribute: ReadonlySet<string> = new Set(["ENODATA", "ENOTSUP", "EPERM", "EACCES"]);

type SystemCall = (...values: number[]) => number;

/** The two calls that read attributes of one entry. Addresses and lengths in bytes; below 0 on failure. */
interface AttributeCalls {
  list(address: number, length: number): number;
  get(nameAddress: number, address: number, length: number): number;
}

/** One per thread. Errors are FileErrors about the entry. */
export class ExtendedAttributeReader {
  readonly #libc: Libc = libc();
  readonly #path: PathMemory;
  readonly #names = new NativeMemory(largestAnswerBytes);
  readonly #value = new NativeMemory(largestAnswerBytes);
  #listAt: SystemCall | undefined;
  #hasListAt = true;

  constructor(path: PathMemory) {
    this.#path = path;
  }

  /** Attributes of an open file or directory; the path is for errors. */
  ofDescriptor(
    descriptor: number,
    directoryPath: Uint8Array,
    name: Uint8Array | undefined,
  ): ExtendedAttribute[] {
    const calls = this.#libc;
    const ofDescriptor = {
      list: (address: number, length: number) => calls.flistxattr(descriptor, address, length),
      get: (nameAddress: number, address: number, length: number) =>
        calls.fgetxattr(descriptor, nameAddress, address, length),
    };
    return this.#read(ofDescriptor, directoryPath, name);
  }

  /** Attributes of an entry of any type, symlinks and devices included, which nothing opens. */
  ofEntry(descriptor: number, name: Uint8Array, directoryPath: Uint8Array): ExtendedAttribute[] {
    if (this.#hasNone(descriptor, name)) {
      return [];
    }
    const path = this.#path.write(pathThrough(descriptor, name));
    const calls = this.#libc;
    const ofEntry = {
      list: (address: number, length: number) => calls.llistxattr(path, address, length),
      get: (nameAddress: number, address: number, length: number) =>
        calls.lgetxattr(path, nameAddress, address, length),
    };
    return this.#read(ofEntry, directoryPath, name);
  }

  /** True if a newer kernel says at once that there are none; going through /proc takes three times as long. */
  #hasNone(descriptor: number, name: Uint8Array): boolean {
    if (!this.#hasListAt) {
      return false;
    }
    this.#listAt ??= declareCall("syscall", "int64", Array(6).fill("int64"));
    const path = this.#path.write(name);
    const flags = atFlags.symlinkNoFollow;
    const length = this.#listAt(listAtNumber, descriptor, path, flags, 0, 0);
    if (length < 0) {
      const code = errorName(lastErrorNumber());
      // Sandboxes refuse calls that they do not know with either.
      this.#hasListAt = code !== "ENOSYS" && code !== "EPERM";
    }
    return length === 0;
  }

  #read(
    calls: AttributeCalls,
    directoryPath: Uint8Array,
    name: Uint8Array | undefined,
  ): ExtendedAttribute[] {
    const names = this.#names;
    const value = this.#value;
    const attributes: ExtendedAttribute[] = [];
    const length = growingAnswer((size) => calls.list(names.address, size));
    if (length < 0 && !noAttributes.has(errorName(-length))) {
      throw fileError(errorName(-length), "listxattr", directoryPath, name);
    }
    let start = 0;
    while (start < length) {
      const nameAddress = names.address + start;
      const end = names.bytes.indexOf(0, start);
      const valueBytes = growingAnswer((size) => calls.get(nameAddress, value.address, size));
      if (valueBytes >= 0) {
        attributes.push({
          name: names.bytes.slice(start, end),
          value: value.bytes.slice(0, valueBytes),
        });
      } else if (!unreadableAttribute.has(errorName(-valueBytes))) {
        throw fileError(errorName(-valueBytes), "getxattr", directoryPath, name);
      }
      start = end + 1;
    }
    return attributes;
  }
}

/** A path that goes through the open directory, so that nothing above the entry can be swapped in between. */
function pathThrough(descriptor: number, name: Uint8Array): Uint8Array {
  return descriptor === currentDirectory
    ? name
    : joinPath(Buffer.from(`/proc/self/fd/${descriptor}`), name);
}

/** Length of the answer, or the negated error number. */
function growingAnswer(call: (size: number) => number): number {
  let length = call(usualAnswerBytes);
  let failed = length < 0 ? lastErrorNumber() : 0;
  if (failed === systemConstants.errno.ERANGE) {
    length = call(largestAnswerBytes);
    failed = length < 0 ? lastErrorNumber() : 0;
  }
  return failed === 0 ? length : -failed;
}
