/**
 * Compares two folders entry by entry, and says what differs. It reads with calls of its own, nothing that backup
 * or restore use, so that it does not share their mistakes.
 */
import { type BigIntStats, readlinkSync } from "node:fs";
import { ContentComparison } from "./tree-comparison/content-comparison.ts";
import { EntryAttributes } from "./tree-comparison/entry-attributes.ts";
import { type SideEntry, SideFolder, sideEntry, typeOf } from "./tree-comparison/tree-side.ts";

/** What is compared. `links`: which names belong to one file. `space`: that the right side takes not much more. */
export type ComparedField =
  | "presence"
  | "type"
  | "mode"
  | "owner"
  | "size"
  | "mtime"
  | "attributes"
  | "target"
  | "links"
  | "device"
  | "content"
  | "space";

export interface TreeDifference {
  /** Below the compared folders, `.` for themselves; bytes that are no UTF-8, controls and backslashes as `\xNN`. */
  readonly path: string;
  readonly field: ComparedField;
  readonly left: string;
  readonly right: string;
}

export interface TreeComparisonOptions {
  /** Fields that are not compared at all. */
  readonly ignored?: readonly ComparedField[];
  /** True for a difference that is to be left out. */
  readonly isExpected?: (difference: TreeDifference) => boolean;
  /** The two folders themselves are not compared, only what is in them. */
  readonly skipsRoot?: boolean;
}

export interface TreeComparison {
  /** Entries that both sides have. */
  readonly entries: number;
  readonly files: number;
  /** Sum of the sizes of files that both sides have. */
  readonly bytes: number;
  /** All differences; those beyond the first `differencesMax` are only counted. */
  readonly differences: readonly TreeDifference[];
  readonly differenceCount: number;
  /** Differences that were left out because they were expected. */
  readonly expected: readonly TreeDifference[];
}

const differencesMax = 200;
const shownCharacters = 200;
/** More than file systems add for their own purposes, and than holes lose that are left out in pieces of 64 KiB. */
const spaceSlackBytes = 1024 * 1024;

/** Compares two folders, given by path. Throws what the system says if one of them can't be read. */
export function compareTrees(
  left: string | Uint8Array,
  right: string | Uint8Array,
  options: TreeComparisonOptions = {},
): TreeComparison {
  return new TreeComparer(options).compare(Buffer.from(left), Buffer.from(right));
}

/** The differences as lines for people; none if there are none. */
export function differenceLines(comparison: TreeComparison): string[] {
  const lines = comparison.differences.map(
    ({ path, field, left, right }) =>
      `${shortened(path)}: ${field}: ${shortened(left)} | ${shortened(right)}`,
  );
  const more = comparison.differenceCount - comparison.differences.length;
  return more > 0 ? [...lines, `and ${more} more`] : lines;
}

class TreeComparer {
  readonly #ignored: ReadonlySet<ComparedField>;
  readonly #options: TreeComparisonOptions;
  readonly #attributes = new EntryAttributes();
  readonly #contents = new ContentComparison();
  readonly #differences: TreeDifference[] = [];
  readonly #expected: TreeDifference[] = [];
  /** Which file of the other side a file with several names belongs to, and one of its names. */
  readonly #rightOfLeft = new Map<string, { other: string; path: string }>();
  readonly #leftOfRight = new Map<string, { other: string; path: string }>();
  #differenceCount = 0;
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(options: TreeComparisonOptions) {
    this.#options = options;
    this.#ignored = new Set(options.ignored);
  }

  compare(left: Buffer, right: Buffer): TreeComparison {
    if (this.#options.skipsRoot === true) this.#compareFolders(left, right, "");
    else this.#compareEntries(sideEntry(left), sideEntry(right), "");
    return {
      entries: this.#entries,
      files: this.#files,
      bytes: this.#bytes,
      differences: this.#differences,
      differenceCount: this.#differenceCount,
      expected: this.#expected,
    };
  }

  #compareFolders(leftPath: Buffer, rightPath: Buffer, prefix: string): void {
    const left = new SideFolder(leftPath);
    const right = new SideFolder(rightPath);
    const leftNames = left.names();
    const rightNames = right.names();
    let l = 0;
    let r = 0;
    while (l < leftNames.length || r < rightNames.length) {
      const order = orderOf(leftNames[l], rightNames[r]);
      const name = order <= 0 ? leftNames[l] : rightNames[r];
      const path = `${prefix}${printable(name)}`;
      if (order === 0)
        this.#compareEntries(sideEntry(left.path(name)), sideEntry(right.path(name)), path);
      else this.#missing(path, order < 0 ? left.path(name) : right.path(name), order);
      if (order <= 0) l += 1;
      if (order >= 0) r += 1;
    }
    right.close();
    left.close();
  }

  #missing(path: string, there: Buffer, order: number): void {
    const type = typeOf(sideEntry(there).stats);
    this.#add(path, "presence", order < 0 ? type : "-", order < 0 ? "-" : type);
  }

  #compareEntries(left: SideEntry, right: SideEntry, at: string): void {
    const path = at === "" ? "." : at;
    this.#entries += 1;
    const type = typeOf(left.stats);
    const otherType = typeOf(right.stats);
    if (type !== otherType) {
      this.#add(path, "type", type, otherType);
      return;
    }
    this.#compareFacts(left.stats, right.stats, path, type);
    this.#compareAttributes(left, right, path);
    if (type !== "folder") this.#compareLinks(left.stats, right.stats, path);
    if (type === "symlink") {
      const target = printable(readlinkSync(left.path, { encoding: "buffer" }));
      this.#note(
        path,
        "target",
        target,
        printable(readlinkSync(right.path, { encoding: "buffer" })),
      );
    } else if (type === "file") this.#compareFiles(left, right, path);
    else if (type === "folder")
      this.#compareFolders(left.path, right.path, at === "" ? "" : `${at}/`);
  }

  #compareFacts(left: BigIntStats, right: BigIntStats, path: string, type: string): void {
    this.#note(path, "mode", permissions(left), permissions(right));
    this.#note(path, "owner", `${left.uid}:${left.gid}`, `${right.uid}:${right.gid}`);
    this.#note(path, "mtime", `${left.mtimeNs} ns`, `${right.mtimeNs} ns`);
    if (type.endsWith("device")) this.#note(path, "device", `${left.rdev}`, `${right.rdev}`);
  }

  #compareAttributes(left: SideEntry, right: SideEntry, path: string): void {
    if (this.#ignored.has("attributes")) return;
    const ours = this.#attributes.of(left.path);
    const theirs = this.#attributes.of(right.path);
    for (const name of new Set([...ours.keys(), ...theirs.keys()])) {
      const text = (value: string | undefined): string =>
        `${printable(Buffer.from(name, "latin1"))} ${value === undefined ? "-" : `"${value}"`}`;
      this.#note(path, "attributes", text(ours.get(name)), text(theirs.get(name)));
    }
  }

  /** What is one entry on one side must be one entry on the other. */
  #compareLinks(left: BigIntStats, right: BigIntStats, path: string): void {
    if (left.nlink <= 1n && right.nlink <= 1n) return;
    const leftKey = `${left.dev}:${left.ino}`;
    const rightKey = `${right.dev}:${right.ino}`;
    const known = this.#rightOfLeft.get(leftKey);
    const reverse = this.#leftOfRight.get(rightKey);
    if (known === undefined) this.#rightOfLeft.set(leftKey, { other: rightKey, path });
    if (reverse === undefined) this.#leftOfRight.set(rightKey, { other: leftKey, path });
    if (known !== undefined && known.other !== rightKey)
      this.#add(path, "links", `the same as ${known.path}`, "another");
    if (reverse !== undefined && reverse.other !== leftKey)
      this.#add(path, "links", "another", `the same as ${reverse.path}`);
  }

  #compareFiles(left: SideEntry, right: SideEntry, path: string): void {
    this.#files += 1;
    this.#bytes += Number(left.stats.size);
    this.#note(path, "size", `${left.stats.size}`, `${right.stats.size}`);
    const leftSpace = Number(left.stats.blocks) * 512;
    const rightSpace = Number(right.stats.blocks) * 512;
    if (rightSpace > leftSpace * 1.25 + spaceSlackBytes)
      this.#add(path, "space", `${leftSpace} bytes`, `${rightSpace} bytes`);
    if (left.stats.size !== right.stats.size || this.#ignored.has("content")) return;
    const sizeBytes = Number(left.stats.size);
    const mayHaveHoles = Math.min(leftSpace, rightSpace) < sizeBytes;
    const at = this.#contents.firstDifference(left.path, right.path, sizeBytes, mayHaveHoles);
    if (at >= 0) this.#add(path, "content", `byte ${at}`, "another byte");
  }

  #note(path: string, field: ComparedField, left: string, right: string): void {
    if (left !== right) this.#add(path, field, left, right);
  }

  #add(path: string, field: ComparedField, left: string, right: string): void {
    if (this.#ignored.has(field)) return;
    const difference = { path, field, left, right };
    if (this.#options.isExpected?.(difference) === true) {
      this.#expected.push(difference);
      return;
    }
    this.#differenceCount += 1;
    if (this.#differences.length < differencesMax) this.#differences.push(difference);
  }
}

function shortened(text: string): string {
  if (text.length <= shownCharacters) return text;
  const half = shownCharacters / 2;
  return `${text.slice(0, half)}…${text.slice(-half)}`;
}

function orderOf(left: Buffer | undefined, right: Buffer | undefined): number {
  if (left === undefined) return 1;
  return right === undefined ? -1 : left.compare(right);
}

function permissions(stats: BigIntStats): string {
  return (stats.mode & 0o7777n).toString(8).padStart(4, "0");
}

/** Letters of any script as they are, so that different bytes are always different text. */
function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes).toString("utf8");
  const isExact = Buffer.from(text).equals(bytes);
  const safe = isExact ? text : Buffer.from(bytes).toString("latin1");
  const unsafe = isExact ? /[\p{C}\p{Z}\\]/gu : /[^\x21-\x7e]|\\/g;
  return safe.replace(unsafe, (character) => {
    if (character === " ") return character;
    const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, "0")}`;
    return [...Buffer.from(character, isExact ? "utf8" : "latin1")].map(hex).join("");
  });
}
