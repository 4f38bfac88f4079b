/** Divides a pack into pieces that are fetched one after the other, so that packs of any size take little memory. */

/** A blob's place in its pack. */
export interface BlobPlace {
  readonly offset: number;
  readonly length: number;
}

export interface ReadWindow {
  /** Bytes `from … to` of the pack. */
  readonly from: number;
  readonly to: number;
  /** Bytes from here on were in no window before: what a running digest over the whole pack needs next. */
  readonly newFrom: number;
  /** The window holds the blobs `first … first + count` whole. */
  readonly first: number;
  readonly count: number;
}

/** A window is larger only where one blob is. */
export const windowBytesMax = 16 * 1024 * 1024;
/** Where not everything is read, so many useless bytes are cheaper than another request. */
const gapBytesMax = 256 * 1024;

/**
 * Windows over the blobs of a pack of `sizeBytes`, which must be ascending by offset and end within the pack. With
 * `isComplete` the windows cover every byte of the pack, else only what the blobs need.
 */
export function* planWindows(
  blobs: readonly BlobPlace[],
  sizeBytes: number,
  isComplete: boolean,
  bytesMax: number = windowBytesMax,
): Generator<ReadWindow> {
  let covered = 0;
  let first = 0;
  while (first < blobs.length) {
    const { offset, length } = blobs[first];
    if (isComplete && offset - covered >= bytesMax) {
      yield { from: covered, to: covered + bytesMax, newFrom: covered, first, count: 0 };
      covered += bytesMax;
      continue;
    }
    const from = isComplete ? Math.min(covered, offset) : offset;
    let to = Math.max(isComplete ? covered : 0, offset + length);
    let end = first + 1;
    for (; end < blobs.length; end += 1) {
      const blob = blobs[end];
      const extended = Math.max(to, blob.offset + blob.length);
      if (extended - from > bytesMax) break;
      if (!isComplete && blob.offset - to > gapBytesMax) break;
      to = extended;
    }
    yield { from, to, newFrom: Math.max(from, covered), first, count: end - first };
    covered = Math.max(covered, to);
    first = end;
  }
  while (isComplete && covered < sizeBytes) {
    const to = Math.min(sizeBytes, covered + bytesMax);
    yield { from: covered, to, newFrom: covered, first, count: 0 };
    covered = to;
  }
}
