/** Lists a directory: getdents64 into one buffer, names copied out, sorted, each kept once. */
import { type DirectoryListing, FileError } from "../ports/source-files.ts";
import { lastErrorName, libc, seekWhence } from "./libc.ts";
import { areNamesAscending, compareNames, sortNames } from "./name-sort.ts";
import { NativeMemory } from "./native-memory.ts";

const bufferBytes = 128 * 1024;

/** Scratch space beyond these sizes is given back after the listing that needed it. */
const keptNameBytes = 1024 * 1024;
const keptNames = 64 * 1024;

/** A file system that returns more than this in one directory is broken. */
const largestNameBytes = 2 ** 31;

/** Offsets inside `struct linux_dirent64`. */
const recordLengthAt = 16;
const nameAt = 19;

const dot = 0x2e;

/** One per thread; a listing takes about the size of its names twice, and 16 bytes a name, while it is made. */
export class DirectoryReader {
  readonly #libc = libc();
  readonly #memory = new NativeMemory(bufferBytes);
  #names = new Uint8Array(64 * 1024);
  #offsets = new Uint32Array(4096);
  #count = 0;

  /** Lists the open directory from its beginning. `path` is for errors: a FileError for any failed call. */
  list(descriptor: number, isFirst: boolean, path: Uint8Array): DirectoryListing {
    if (!isFirst && Number(this.#libc.lseek(descriptor, 0, seekWhence.set)) < 0) {
      throw new FileError(lastErrorName(), "lseek", Buffer.from(path).toString());
    }
    this.#count = 0;
    for (;;) {
      const filled = this.#libc.getdents64(descriptor, this.#memory.address, bufferBytes);
      if (filled === 0) {
        break;
      }
      if (filled < 0) {
        const code = lastErrorName();
        if (code === "EINTR") {
          continue;
        }
        throw new FileError(code, "getdents64", Buffer.from(path).toString());
      }
      this.#takeNames(filled, path);
    }
    const listing = this.#finish();
    if (this.#names.length > keptNameBytes) {
      this.#names = new Uint8Array(64 * 1024);
    }
    if (this.#offsets.length > keptNames) {
      this.#offsets = new Uint32Array(4096);
    }
    return listing;
  }

  #takeNames(filled: number, path: Uint8Array): void {
    const buffer = this.#memory.bytes;
    const halves = new Uint16Array(buffer.buffer);
    let count = this.#count;
    let offsets = this.#offsets;
    let end = count === 0 ? 0 : offsets[count];
    // Names take no more room than the records that hold them.
    this.#reserveNames(end, end + filled, path);
    const names = this.#names;
    for (let record = 0; record < filled; ) {
      const next = record + halves[(record + recordLengthAt) >> 1];
      let from = record + nameAt;
      record = next;
      if (
        buffer[from] === dot &&
        (buffer[from + 1] === 0 || (buffer[from + 1] === dot && buffer[from + 2] === 0))
      ) {
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
      if (count >= offsets.length) {
        const larger = new Uint32Array(offsets.length * 2);
        larger.set(offsets);
        this.#offsets = larger;
        offsets = larger;
      }
      offsets[count] = end;
    }
    this.#count = count;
  }

  #reserveNames(used: number, needed: number, path: Uint8Array): void {
    if (needed <= this.#names.length) {
      return;
    }
    if (needed > largestNameBytes) {
      throw new FileError("EOVERFLOW", "getdents64", Buffer.from(path).toString());
    }
    const larger = new Uint8Array(Math.max(needed, this.#names.length * 2));
    larger.set(this.#names.subarray(0, used));
    this.#names = larger;
  }

  #finish(): DirectoryListing {
    const count = this.#count;
    const names = this.#names;
    const offsets = this.#offsets;
    const total = offsets[count];
    if (count === 0) {
      return { count: 0, names: new Uint8Array(0), offsets: new Uint32Array(1), duplicates: 0 };
    }
    if (areNamesAscending(names, offsets, count)) {
      return {
        count,
        names: names.slice(0, total),
        offsets: offsets.slice(0, count + 1),
        duplicates: 0,
      };
    }
    const order = sortNames(names, offsets, count);
    const sortedNames = new Uint8Array(total);
    const sortedOffsets = new Uint32Array(count + 1);
    let kept = 0;
    let end = 0;
    for (let at = 0; at < count; at++) {
      const number = order[at];
      if (at > 0 && compareNames(names, offsets, order[at - 1], number, 0) === 0) {
        continue;
      }
      const nameEnd = offsets[number + 1];
      for (let from = offsets[number]; from < nameEnd; from++) {
        sortedNames[end] = names[from];
        end++;
      }
      kept++;
      sortedOffsets[kept] = end;
    }
    return {
      count: kept,
      names: end === total ? sortedNames : sortedNames.slice(0, end),
      offsets: kept === count ? sortedOffsets : sortedOffsets.slice(0, kept + 1),
      duplicates: count - kept,
    };
  }
}
