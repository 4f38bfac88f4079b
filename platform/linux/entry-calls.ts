/** Metadata of one entry by descriptor and name: stat and link target. */
import { modeType } from "../ports/stat-record.ts";
import { lastFileError } from "./entry-path.ts";
import { atFlags, currentDirectory, libc } from "./libc.ts";
import { NativeMemory, PathMemory } from "./native-memory.ts";
import { decodeStatx, statxBytes, statxMask, statxMode, statxRdev } from "./stat-decoder.ts";

const nothing = new Uint8Array(0);

/** Longer than any link target that Linux keeps. */
const largestTargetBytes = 64 * 1024;

/** One per thread: it owns the memory that its calls fill. */
export class EntryCalls {
  readonly path: PathMemory = new PathMemory();
  /** The answer to the last statx. */
  readonly statx: Uint32Array;
  /** Counts the answers, to tell whether `statx` still holds a certain one. */
  answers = 0;
  readonly #libc = libc();
  readonly #statMemory = new NativeMemory(statxBytes);
  readonly #target = new NativeMemory(largestTargetBytes);

  constructor() {
    this.statx = this.#statMemory.words;
  }

  /** Asks statx about an open descriptor; the answer is in `statx`. The path is for errors. */
  askDescriptor(descriptor: number, directoryPath: Uint8Array, name?: Uint8Array): void {
    const address = this.path.write(nothing);
    if (this.#statx(descriptor, address, atFlags.emptyPath) < 0) {
      throw lastFileError("statx", directoryPath, name);
    }
  }

  /** Asks statx about an entry of the directory, never following it; the answer is in `statx`. */
  askEntry(descriptor: number, name: Uint8Array, directoryPath: Uint8Array): void {
    const address = this.path.write(name);
    if (this.#statx(descriptor, address, atFlags.symlinkNoFollow | atFlags.noAutomount) < 0) {
      throw lastFileError("statx", directoryPath, name);
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
    const { address, bytes } = this.#target;
    const path = this.path.write(name);
    const length = this.#libc.readlinkat(descriptor, path, address, largestTargetBytes);
    if (length < 0) {
      throw lastFileError("readlinkat", directoryPath, name);
    }
    return bytes.slice(0, length);
  }

  #statx(descriptor: number, address: number, flags: number): number {
    this.answers++;
    return this.#libc.statx(descriptor, address, flags, statxMask, this.#statMemory.address);
  }
}
