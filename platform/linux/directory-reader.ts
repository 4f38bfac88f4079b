/** Lists a directory: getdents64 into one buffer, and from there into a sorted list of names. */
import { NameList } from "../listing/name-list.ts";
import { type DirectoryListing, FileError } from "../ports/source-files.ts";
import { lastErrorName, libc, seekWhence } from "./libc.ts";
import { NativeMemory } from "./native-memory.ts";

const bufferBytes = 128 * 1024;

/** Offsets inside `struct linux_dirent64`, and the size of the smallest one. */
const recordLengthAt = 16;
const nameAt = 19;
const smallestRecordBytes = 24;

const dot = 0x2e;

/** One per thread. */
export class DirectoryReader {
  readonly #libc = libc();
  readonly #memory = new NativeMemory(bufferBytes);
  readonly #halves = new Uint16Array(this.#memory.bytes.buffer);
  readonly #list = new NameList();

  /**
   * Lists an open directory; `isFirst` if nothing was read from it yet, else it is read from its beginning again.
   * `path` is for errors: FileError for any failed call, EOVERFLOW beyond 2 GiB of names.
   */
  list(descriptor: number, isFirst: boolean, path: Uint8Array): DirectoryListing {
    if (!isFirst && Number(this.#libc.lseek(descriptor, 0, seekWhence.set)) < 0) {
      throw new FileError(lastErrorName(), "lseek", Buffer.from(path).toString());
    }
    this.#list.clear();
    for (;;) {
      const filled = this.#libc.getdents64(descriptor, this.#memory.address, bufferBytes);
      if (filled > 0) {
        this.#takeNames(filled, path);
      } else if (filled === 0) {
        return this.#list.take();
      } else {
        const code = lastErrorName();
        if (code !== "EINTR") {
          throw new FileError(code, "getdents64", Buffer.from(path).toString());
        }
      }
    }
  }

  #takeNames(filled: number, path: Uint8Array): void {
    const list = this.#list;
    const buffer = this.#memory.bytes;
    const halves = this.#halves;
    try {
      // Names take no more room than the records that hold them.
      list.reserve(Math.ceil(filled / smallestRecordBytes), filled);
    } catch {
      throw new FileError("EOVERFLOW", "getdents64", Buffer.from(path).toString());
    }
    const { names, offsets } = list;
    let count = list.count;
    let end = offsets[count];
    let record = 0;
    while (record < filled) {
      const next = record + halves[(record + recordLengthAt) >> 1];
      let from = record + nameAt;
      record = next;
      if (buffer[from] === dot && isDotEntry(buffer, from)) {
        continue;
      }
      while (from < next) {
        const byte = buffer[from];
        if (byte === 0) {
          break;
        }
        names[end] = byte;
        end++;
        from++;
      }
      count++;
      offsets[count] = end;
    }
    list.count = count;
  }
}

/** True for `.` and `..`; the byte at `from` is a dot. */
function isDotEntry(buffer: Uint8Array, from: number): boolean {
  return buffer[from + 1] === 0 || (buffer[from + 1] === dot && buffer[from + 2] === 0);
}
