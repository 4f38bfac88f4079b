/** An open regular file, read through Node's own file calls. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
} from "node:fs";
import {
  type ExtendedAttribute,
  FileError,
  type FileExtent,
  type SourceFile,
} from "../ports/source-files.ts";
import { callNode, nodePath } from "./node-path.ts";
import { encodeStats } from "./stat-encoder.ts";

/** Flags that a system lacks are undefined there. */
const openFlags =
  constants.O_RDONLY |
  (constants.O_NOFOLLOW ?? 0) |
  (constants.O_NONBLOCK ?? 0) |
  (constants.O_NOCTTY ?? 0);

const canRefuseSymlinks = constants.O_NOFOLLOW !== undefined;

export class NodeSourceFile implements SourceFile {
  readonly #path: Uint8Array;
  #descriptor: number;
  /** What was seen when the file was opened, until something of it is read. */
  #opening: BigIntStats | undefined;

  /** Takes over `descriptor`. */
  constructor(descriptor: number, path: Uint8Array, opening: BigIntStats) {
    this.#descriptor = descriptor;
    this.#path = path;
    this.#opening = opening;
  }

  read(buffer: Uint8Array, offset: number, length: number, position: number): number {
    if (!(offset >= 0 && length >= 0 && offset + length <= buffer.length)) {
      throw new RangeError("read beyond the end of the buffer");
    }
    this.#opening = undefined;
    return callNode(this.#path, () => {
      let filled = 0;
      while (filled < length) {
        const read = readSync(
          this.#descriptor,
          buffer,
          offset + filled,
          length - filled,
          position + filled,
        );
        if (read === 0) {
          break;
        }
        filled += read;
      }
      return filled;
    });
  }

  stat(record: Uint8Array, offset: number): void {
    const stats =
      this.#opening ?? callNode(this.#path, () => fstatSync(this.#descriptor, { bigint: true }));
    this.#opening = undefined;
    encodeStats(stats, record, offset);
  }

  extendedAttributes(): ExtendedAttribute[] {
    return [];
  }

  extentAt(offset: number, end: number): FileExtent {
    return { kind: "data", offset, length: end - offset };
  }

  close(): void {
    if (this.#descriptor >= 0) {
      closeSync(this.#descriptor);
      this.#descriptor = -1;
    }
  }
}

/** Opens the regular file at `path`: FileError EINVAL if it is none, ELOOP if it is a symlink. */
export function openNodeFile(path: Uint8Array): SourceFile {
  const target = nodePath(path);
  const before = canRefuseSymlinks ? undefined : lookBeforeOpening(path);
  const descriptor = callNode(path, () => openSync(target, openFlags));
  try {
    const opening = callNode(path, () => fstatSync(descriptor, { bigint: true }));
    if (!opening.isFile()) {
      throw new FileError("EINVAL", "open", Buffer.from(path).toString());
    }
    if (before !== undefined && (before.ino !== opening.ino || before.dev !== opening.dev)) {
      throw new FileError("ELOOP", "open", Buffer.from(path).toString());
    }
    return new NodeSourceFile(descriptor, path, opening);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** Where the system would follow a symlink, what is opened must be what lstat saw. */
function lookBeforeOpening(path: Uint8Array): BigIntStats {
  const stats = callNode(path, () => lstatSync(nodePath(path), { bigint: true }));
  if (!stats.isFile()) {
    const code = stats.isSymbolicLink() ? "ELOOP" : "EINVAL";
    throw new FileError(code, "open", Buffer.from(path).toString());
  }
  return stats;
}
