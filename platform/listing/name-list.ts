/** Gathers the names of one directory and turns them into a sorted listing. */
import type { DirectoryListing } from "../ports/source-files.ts";
import { areNamesAscending, compareNames, sortNames } from "./name-sort.ts";

const firstNameBytes = 64 * 1024;
const firstNames = 4096;

/** Space beyond these sizes is given back after the listing that needed it. */
const keptNameBytes = 1024 * 1024;
const keptNames = 64 * 1024;

/** No real directory has more; offsets are 32 bits. */
const largestNameBytes = 2 ** 31;

/**
 * One per thread, used again for every directory. While a listing is made it takes about twice the bytes of its
 * names, and 20 bytes a name.
 */
export class NameList {
  /** All names so far, one after the other. */
  names: Uint8Array = new Uint8Array(firstNameBytes);
  /** `offsets[n + 1]` is the end of name n, `offsets[0]` is 0. */
  offsets: Uint32Array = new Uint32Array(firstNames);
  count = 0;

  clear(): void {
    this.count = 0;
    if (this.names.length > keptNameBytes) {
      this.names = new Uint8Array(firstNameBytes);
    }
    if (this.offsets.length > keptNames) {
      this.offsets = new Uint32Array(firstNames);
    }
  }

  /**
   * Makes room for `names` more names of `bytes` bytes together. `names` and `offsets` may be other arrays afterwards.
   * Throws RangeError beyond 2 GiB of names.
   */
  reserve(names: number, bytes: number): void {
    const used = this.offsets[this.count];
    if (used + bytes > largestNameBytes) {
      throw new RangeError("too many names in one directory");
    }
    if (used + bytes > this.names.length) {
      const larger = new Uint8Array(Math.max(used + bytes, this.names.length * 2));
      larger.set(this.names.subarray(0, used));
      this.names = larger;
    }
    if (this.count + names >= this.offsets.length) {
      const larger = new Uint32Array(Math.max(this.count + names + 1, this.offsets.length * 2));
      larger.set(this.offsets.subarray(0, this.count + 1));
      this.offsets = larger;
    }
  }

  add(name: Uint8Array): void {
    this.reserve(1, name.length);
    const start = this.offsets[this.count];
    this.names.set(name, start);
    this.count++;
    this.offsets[this.count] = start + name.length;
  }

  /** The names sorted, each once, in arrays of their own; the list is empty afterwards. */
  take(): DirectoryListing {
    const { names, offsets, count } = this;
    const total = offsets[count];
    const listing = areNamesAscending(names, offsets, count)
      ? {
          count,
          names: names.slice(0, total),
          offsets: offsets.slice(0, count + 1),
          duplicates: 0,
        }
      : sortedListing(names, offsets, count);
    this.clear();
    return listing;
  }
}

function sortedListing(names: Uint8Array, offsets: Uint32Array, count: number): DirectoryListing {
  const total = offsets[count];
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
