/**
 * Sorting the names of a directory by raw bytes, made for lists of hundreds of thousands.
 *
 * Names lie one after the other in one array. The next bytes of a name and its number are packed into one
 * double, so that the engine's own numeric sort does the work; runs that are still equal are sorted by
 * the bytes after them.
 */

const fewNames = 24;

/** Numbers below this fit beside four bytes of a name into the 53 bits of a double. */
const fourByteLimit = 2 ** 21;
const threeByteLimit = 2 ** 29;

/** True if every name is greater than the one before it, so that there is nothing to sort and no duplicate. */
export function areNamesAscending(names: Uint8Array, offsets: Uint32Array, count: number): boolean {
  for (let index = 1; index < count; index++) {
    if (compareNames(names, offsets, index - 1, index, 0) >= 0) {
      return false;
    }
  }
  return true;
}

/**
 * The numbers of `count` names (name n is `names[offsets[n], offsets[n + 1])`, without zero bytes) in ascending order.
 * Throws RangeError beyond 2^29 names.
 */
export function sortNames(names: Uint8Array, offsets: Uint32Array, count: number): Uint32Array {
  if (count > threeByteLimit) {
    throw new RangeError("too many names in one directory");
  }
  const order = new Uint32Array(count);
  for (let index = 0; index < count; index++) {
    order[index] = index;
  }
  if (count <= fewNames) {
    insertionSort(names, offsets, order, 0, count, 0);
  } else {
    sortByPackedKeys(names, offsets, order, count);
  }
  return order;
}

/** Below 0, 0 or above 0 as name `left` is less than, equal to or greater than `right`, which agree in their first `depth` bytes. */
export function compareNames(
  names: Uint8Array,
  offsets: Uint32Array,
  left: number,
  right: number,
  depth: number,
): number {
  const leftEnd = offsets[left + 1];
  const rightEnd = offsets[right + 1];
  let leftAt = offsets[left] + depth;
  let rightAt = offsets[right] + depth;
  while (leftAt < leftEnd && rightAt < rightEnd) {
    const difference = names[leftAt] - names[rightAt];
    if (difference !== 0) {
      return difference;
    }
    leftAt++;
    rightAt++;
  }
  return leftEnd - leftAt - (rightEnd - rightAt);
}

interface NameRange {
  readonly first: number;
  readonly end: number;
  /** Bytes at the beginning of its names that are known to be equal. */
  readonly depth: number;
}

function sortByPackedKeys(
  names: Uint8Array,
  offsets: Uint32Array,
  order: Uint32Array,
  count: number,
): void {
  const keyBytes = count <= fourByteLimit ? 4 : 3;
  const packed = new Float64Array(count);
  const waiting: NameRange[] = [{ first: 0, end: count, depth: 0 }];
  for (let range = waiting.pop(); range !== undefined; range = waiting.pop()) {
    if (range.end - range.first <= fewNames) {
      insertionSort(names, offsets, order, range.first, range.end, range.depth);
    } else {
      sortRange(names, offsets, order, packed, keyBytes, range, waiting);
    }
  }
}

/** Sorts a range by the next bytes in which its names differ; runs that are equal in those too are added to `waiting`. */
function sortRange(
  names: Uint8Array,
  offsets: Uint32Array,
  order: Uint32Array,
  packed: Float64Array,
  keyBytes: 3 | 4,
  range: NameRange,
  waiting: NameRange[],
): void {
  const { first, end } = range;
  const numberRange = keyBytes === 4 ? fourByteLimit : threeByteLimit;
  const depth = range.depth + commonPrefix(names, offsets, order, range);
  for (let at = first; at < end; at++) {
    const number = order[at];
    packed[at] = keyOf(names, offsets, number, depth, keyBytes) * numberRange + number;
  }
  packed.subarray(first, end).sort();
  let runStart = first;
  let runKey = -1;
  for (let at = first; at <= end; at++) {
    let key = -1;
    if (at < end) {
      const value = packed[at];
      key = Math.floor(value / numberRange);
      order[at] = value - key * numberRange;
    }
    if (key !== runKey) {
      // A key that ends with a zero byte holds names that ended: they are equal.
      if (at - runStart > 1 && runKey % 256 !== 0) {
        waiting.push({ first: runStart, end: at, depth: depth + keyBytes });
      }
      runStart = at;
      runKey = key;
    }
  }
}

/** The `keyBytes` bytes of a name from `depth` on as a number, zeros after its end. */
function keyOf(
  names: Uint8Array,
  offsets: Uint32Array,
  number: number,
  depth: number,
  keyBytes: number,
): number {
  const end = offsets[number + 1];
  let at = offsets[number] + depth;
  let key = 0;
  for (let taken = 0; taken < keyBytes; taken++) {
    key = key * 256 + (at < end ? names[at] : 0);
    at++;
  }
  return key;
}

/** How many bytes all names of the range share after those known to be equal. */
function commonPrefix(
  names: Uint8Array,
  offsets: Uint32Array,
  order: Uint32Array,
  range: NameRange,
): number {
  const { first, end, depth } = range;
  const reference = order[first];
  const referenceStart = offsets[reference] + depth;
  let shared = offsets[reference + 1] - referenceStart;
  for (let at = first + 1; at < end && shared > 0; at++) {
    const number = order[at];
    const start = offsets[number] + depth;
    const length = Math.min(shared, offsets[number + 1] - start);
    let same = 0;
    while (same < length && names[start + same] === names[referenceStart + same]) {
      same++;
    }
    shared = same;
  }
  return shared;
}

function insertionSort(
  names: Uint8Array,
  offsets: Uint32Array,
  order: Uint32Array,
  first: number,
  end: number,
  depth: number,
): void {
  for (let next = first + 1; next < end; next++) {
    const number = order[next];
    let at = next;
    while (at > first && compareNames(names, offsets, order[at - 1], number, depth) > 0) {
      order[at] = order[at - 1];
      at--;
    }
    order[at] = number;
  }
}
