/**
 * Many patterns of one component, asked about one name at once. Whole names are found by hash; the others are kept by
 * the byte that a match must end or begin with, so that a name meets only the few that may match it.
 */
import { matchesName, type NamePattern } from "./name-pattern.ts";

/** A pattern and the number that it stands for in the answers. */
export interface NameTableEntry {
  readonly pattern: NamePattern;
  /** At least 0. */
  readonly value: number;
}

interface WholeName {
  readonly name: Uint8Array;
  readonly hash: number;
  readonly values: number[];
  highest: number;
}

/** Patterns by the first or last byte of every name that they match; 256 lists or none. */
type EntriesByByte = readonly (readonly NameTableEntry[] | undefined)[];

/** Lengths from here on share one mark. */
const longName = 255;

export class NameTable {
  readonly #lengths = new Uint8Array(longName + 1);
  readonly #buckets: readonly (readonly WholeName[] | undefined)[];
  readonly #byLastByte: EntriesByByte | undefined;
  readonly #byFirstByte: EntriesByByte | undefined;
  readonly #others: readonly NameTableEntry[];

  constructor(entries: readonly NameTableEntry[]) {
    const wildcards = entries.filter(({ pattern }) => pattern.kind !== "literal");
    const byLast = wildcards.filter(({ pattern }) => pattern.lastByte >= 0);
    const byFirst = wildcards.filter(
      (entry) => entry.pattern.lastByte < 0 && entry.pattern.firstByte >= 0,
    );
    this.#byLastByte = groupByByte(byLast, (pattern) => pattern.lastByte);
    this.#byFirstByte = groupByByte(byFirst, (pattern) => pattern.firstByte);
    this.#others = wildcards.filter(({ pattern }) => pattern.lastByte < 0 && pattern.firstByte < 0);
    this.#buckets = this.#hashNames(entries.filter(({ pattern }) => pattern.kind === "literal"));
  }

  /**
   * The highest value of a pattern that matches the name `names[start, end)`, which is not empty, or `floor` if none is higher. Stops
   * early at a value of `enough` or more.
   */
  highest(names: Uint8Array, start: number, end: number, floor: number, enough: number): number {
    let best = floor;
    const whole = this.#wholeName(names, start, end);
    if (whole !== undefined && whole.highest > best) best = whole.highest;
    if (this.#byLastByte !== undefined && best < enough) {
      best = highestOf(this.#byLastByte[names[end - 1]], names, start, end, best);
    }
    if (this.#byFirstByte !== undefined && best < enough) {
      best = highestOf(this.#byFirstByte[names[start]], names, start, end, best);
    }
    return best >= enough ? best : highestOf(this.#others, names, start, end, best);
  }

  /** Adds the value of every pattern that matches the name `names[start, end)` to `found`. */
  collect(names: Uint8Array, start: number, end: number, found: number[]): void {
    const whole = this.#wholeName(names, start, end);
    if (whole !== undefined) for (const value of whole.values) found.push(value);
    for (const list of [
      this.#byLastByte?.[names[end - 1]],
      this.#byFirstByte?.[names[start]],
      this.#others,
    ]) {
      for (const { pattern, value } of list ?? []) {
        if (matchesName(pattern, names, start, end)) found.push(value);
      }
    }
  }

  #hashNames(entries: readonly NameTableEntry[]): (WholeName[] | undefined)[] {
    const size = entries.length === 0 ? 0 : 1 << Math.ceil(Math.log2(entries.length * 2));
    const buckets: (WholeName[] | undefined)[] = Array.from({ length: size });
    for (const { pattern, value } of entries) {
      const name = pattern.literal;
      const hash = hashOf(name, 0, name.length);
      this.#lengths[Math.min(name.length, longName)] = 1;
      const slot = hash & (size - 1);
      buckets[slot] ??= [];
      const known = buckets[slot].find((whole) => isName(whole, hash, name, 0, name.length));
      if (known === undefined) buckets[slot].push({ name, hash, values: [value], highest: value });
      else {
        known.values.push(value);
        known.highest = Math.max(known.highest, value);
      }
    }
    return buckets;
  }

  #wholeName(names: Uint8Array, start: number, end: number): WholeName | undefined {
    const length = end - start;
    if (this.#lengths[Math.min(length, longName)] === 0) return undefined;
    const hash = hashOf(names, start, end);
    const bucket = this.#buckets[hash & (this.#buckets.length - 1)];
    if (bucket === undefined) return undefined;
    for (const whole of bucket) if (isName(whole, hash, names, start, end)) return whole;
    return undefined;
  }
}

function groupByByte(
  entries: readonly NameTableEntry[],
  byteOf: (pattern: NamePattern) => number,
): EntriesByByte | undefined {
  if (entries.length === 0) return undefined;
  const groups: NameTableEntry[][] = Array.from({ length: 256 });
  for (const entry of entries) {
    const byte = byteOf(entry.pattern);
    groups[byte] ??= [];
    groups[byte].push(entry);
  }
  return groups;
}

function highestOf(
  entries: readonly NameTableEntry[] | undefined,
  names: Uint8Array,
  start: number,
  end: number,
  floor: number,
): number {
  let best = floor;
  if (entries === undefined) return best;
  for (let index = 0; index < entries.length; index++) {
    const { pattern, value } = entries[index];
    if (value > best && matchesName(pattern, names, start, end)) best = value;
  }
  return best;
}

/** FNV-1a, 32 bits. */
function hashOf(names: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ names[at], 0x01000193);
  return hash >>> 0;
}

function isName(
  whole: WholeName,
  hash: number,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  if (whole.hash !== hash || whole.name.length !== end - start) return false;
  for (let index = 0; index < whole.name.length; index++) {
    if (whole.name[index] !== names[start + index]) return false;
  }
  return true;
}
