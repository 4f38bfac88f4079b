/** One level of the table of blobs: slots that are claimed without locks, and the entries that they show. */

/** Words of an entry: eight of the id, and those of `wordAt`. */
export const entryWords = 12;
export const entryBytes: number = entryWords * 4;
export const wordAt = { pack: 8, offset: 9, length: 10, plainLength: 11 } as const;
/** In the pack word of a tree. */
export const treeFlag = 0x80000000;

/**
 * A slot is 0 or the number of an entry plus one in the low bits, and in the others those bits of the hash that
 * did not choose the slot: so hardly any look-up reads an entry that is not its own.
 */
export interface BlobLevel {
  readonly slots: Int32Array;
  readonly entries: Uint32Array;
  /** The same memory; comparing signed numbers is quicker. */
  readonly signed: Int32Array;
  readonly mask: number;
  readonly entriesMax: number;
}

/** A level on memory of another thread or this one, of `slotCount` slots: a power of two. */
export function openBlobLevel(
  slots: SharedArrayBuffer,
  entries: SharedArrayBuffer,
  slotCount: number,
): BlobLevel {
  const entriesMax = entriesOf(slotCount);
  return {
    slots: new Int32Array(slots, 0, slotCount),
    entries: new Uint32Array(entries, 0, entriesMax * entryWords),
    signed: new Int32Array(entries, 0, entriesMax * entryWords),
    mask: slotCount - 1,
    entriesMax,
  };
}

/** Entries that a level of so many slots holds: a load of five eighths. */
export function entriesOf(slots: number): number {
  return (slots / 8) * 5;
}

function sameBlob(level: BlobLevel, entry: number, words: Int32Array, isTree: boolean): boolean {
  const { signed } = level;
  const at = entry * entryWords;
  for (let i = 0; i < 8; i += 1) if (signed[at + i] !== words[i]) return false;
  // The flag is the sign.
  return signed[at + wordAt.pack] < 0 === isTree;
}

/** The entry of this blob, or -1. */
export function findInLevel(
  level: BlobLevel,
  words: Int32Array,
  hash: number,
  isTree: boolean,
): number {
  const { slots, mask } = level;
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const held = Atomics.load(slots, slot);
    if (held === 0) return -1;
    if (((held ^ hash) & ~mask) !== 0) continue;
    const entry = (held & mask) - 1;
    if (sameBlob(level, entry, words, isTree)) return entry;
  }
}

/** Shows `entry` to everybody; false if the blob has an entry already. */
export function claimSlot(
  level: BlobLevel,
  words: Int32Array,
  hash: number,
  isTree: boolean,
  entry: number,
): boolean {
  const { slots, mask } = level;
  const own = (hash & ~mask) | (entry + 1);
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const held = Atomics.compareExchange(slots, slot, 0, own);
    if (held === 0) return true;
    if (((held ^ hash) & ~mask) === 0 && sameBlob(level, (held & mask) - 1, words, isTree))
      return false;
  }
}
