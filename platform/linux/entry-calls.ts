/** Metadata of one entry: stat, link target and extended attributes, by descriptor and name. */
import { constants as systemConstants } from "node:os";
import { type ExtendedAttribute, FileError } from "../ports/source-files.ts";
import { modeType } from "../ports/stat-record.ts";
import {
  atFlags,
  currentDirectory,
  errorName,
  lastErrorName,
  lastErrorNumber,
  libc,
} from "./libc.ts";
import { NativeMemory, PathMemory } from "./native-memory.ts";
import { decodeStatx, statxBytes, statxMask, statxMode, statxRdev } from "./stat-decoder.ts";

const nothing = new Uint8Array(0);
const slash = 0x2f;

/** The kernel returns neither attribute lists nor values nor link targets beyond this. */
const largestAnswerBytes = 64 * 1024;
/** Nearly every answer fits here, and the kernel clears as much memory as it is offered. */
const usualAnswerBytes = 1024;

/** One per thread: it owns the memory that its calls fill. */
export class EntryCalls {
  readonly path: PathMemory = new PathMemory();
  /** The answer to the last statx. */
  readonly statx: Uint32Array;
  /** Counts the answers, to tell whether `statx` still holds a certain one. */
  answers = 0;
  readonly #libc = libc();
  readonly #statMemory = new NativeMemory(statxBytes);
  readonly #attributeNames = new NativeMemory(largestAnswerBytes);
  readonly #answer = new NativeMemory(largestAnswerBytes);
  #hasProc: boolean | undefined;

  constructor() {
    this.statx = this.#statMemory.words;
  }

  /** Asks statx about an open descriptor; the answer is in `statx`. The path is for errors. */
  askDescriptor(descriptor: number, directoryPath: Uint8Array, name?: Uint8Array): void {
    const address = this.path.write(nothing);
    if (this.#statx(descriptor, address, atFlags.emptyPath) < 0) {
      throw failure("statx", directoryPath, name);
    }
  }

  /** Asks statx about an entry of the directory, never following it; the answer is in `statx`. */
  askEntry(descriptor: number, name: Uint8Array, directoryPath: Uint8Array): void {
    const address = this.path.write(name);
    if (this.#statx(descriptor, address, atFlags.symlinkNoFollow | atFlags.noAutomount) < 0) {
      throw failure("statx", directoryPath, name);
    }
  }

  /** Writes the stat record of the entry, or of the descriptor itself. */
  stat(
    descriptor: number,
    name: Uint8Array | undefined,
    directoryPath: Uint8Array,
    record: Uint8Array,
    offset: number,
  ): void {
    if (name === undefined) {
      this.askDescriptor(descriptor, directoryPath);
    } else {
      this.askEntry(descriptor, name, directoryPath);
    }
    decodeStatx(this.statx, record, offset);
  }

  /** Device number (`major:minor`) of the block device that `path` leads to, undefined if it leads to none. */
  blockDeviceAt(path: Uint8Array): string | undefined {
    if (this.#statx(currentDirectory, this.path.write(path), 0) < 0) {
      return undefined;
    }
    const isBlockDevice = (statxMode(this.statx) & modeType.mask) === modeType.blockDevice;
    return isBlockDevice ? statxRdev(this.statx) : undefined;
  }

  readLink(descriptor: number, name: Uint8Array, directoryPath: Uint8Array): Uint8Array {
    const { address, bytes } = this.#answer;
    const path = this.path.write(name);
    const length = this.#libc.readlinkat(descriptor, path, address, largestAnswerBytes);
    if (length < 0) {
      throw failure("readlinkat", directoryPath, name);
    }
    return bytes.slice(0, length);
  }

  /** Attributes of an open file or directory; the path is for errors. */
  attributesOfDescriptor(
    descriptor: number,
    directoryPath: Uint8Array,
    name: Uint8Array | undefined,
  ): ExtendedAttribute[] {
    const calls = this.#libc;
    const list = (address: number, length: number): number =>
      calls.flistxattr(descriptor, address, length);
    const get = (name: number, address: number, length: number): number =>
      calls.fgetxattr(descriptor, name, address, length);
    return this.#attributes(list, get, directoryPath, name);
  }

  /** Attributes of an entry of any type, symlinks and devices included, which nothing opens. */
  attributesOfEntry(
    descriptor: number,
    name: Uint8Array,
    directoryPath: Uint8Array,
  ): ExtendedAttribute[] {
    const calls = this.#libc;
    const path = this.path.write(this.#pathByDescriptor(descriptor, name, directoryPath));
    const list = (address: number, length: number): number =>
      calls.llistxattr(path, address, length);
    const get = (attributeName: number, address: number, length: number): number =>
      calls.lgetxattr(path, attributeName, address, length);
    return this.#attributes(list, get, directoryPath, name);
  }

  #attributes(
    list: (address: number, length: number) => number,
    get: (name: number, address: number, length: number) => number,
    directoryPath: Uint8Array,
    name: Uint8Array | undefined,
  ): ExtendedAttribute[] {
    const names = this.#attributeNames;
    const length = growingAnswer((size) => list(names.address, size));
    if (length < 0) {
      const code = errorName(-length);
      if (code === "ENOTSUP" || code === "ENOSYS") {
        return [];
      }
      throw fileError(code, "listxattr", directoryPath, name);
    }
    const attributes: ExtendedAttribute[] = [];
    for (let start = 0; start < length; ) {
      const end = names.bytes.indexOf(0, start);
      const valueBytes = growingAnswer((size) =>
        get(names.address + start, this.#answer.address, size),
      );
      if (valueBytes >= 0) {
        attributes.push({
          name: names.bytes.slice(start, end),
          value: this.#answer.bytes.slice(0, valueBytes),
        });
      } else {
        const code = errorName(-valueBytes);
        if (!unreadableAttribute.has(code)) {
          throw fileError(code, "getxattr", directoryPath, name);
        }
      }
      start = end + 1;
    }
    return attributes;
  }

  /** A path that goes through the open directory, so that nothing above it can be swapped in between. */
  #pathByDescriptor(descriptor: number, name: Uint8Array, directoryPath: Uint8Array): Uint8Array {
    if (descriptor === currentDirectory) {
      return name;
    }
    this.#hasProc ??= this.#exists(Buffer.from("/proc/self/fd"));
    return this.#hasProc
      ? joinPath(Buffer.from(`/proc/self/fd/${descriptor}`), name)
      : joinPath(directoryPath, name);
  }

  #exists(path: Uint8Array): boolean {
    return this.#statx(currentDirectory, this.path.write(path), 0) === 0;
  }

  #statx(descriptor: number, address: number, flags: number): number {
    this.answers++;
    return this.#libc.statx(descriptor, address, flags, statxMask, this.#statMemory.address);
  }
}

/** Vanished since they were listed, or not for us: what can be read of an entry is still worth keeping. */
const unreadableAttribute: ReadonlySet<string> = new Set(["ENODATA", "ENOTSUP", "EPERM", "EACCES"]);

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

/** The same for the call that just failed. */
function failure(call: string, directoryPath: Uint8Array, name: Uint8Array | undefined): FileError {
  return fileError(lastErrorName(), call, directoryPath, name);
}
