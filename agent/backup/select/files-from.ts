/** Lists of what to back up, for `--files-from`, `--files-from-verbatim` and `--files-from-raw`. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import {
  compileNamePattern,
  matchesName,
  type NamePattern,
  PatternSyntaxError,
} from "../../patterns/name-pattern.ts";
import { type ListFile, linesOf, trimmed } from "./list-text.ts";

/** A line of a `--files-from` file: a path whose components may be patterns. */
export interface PathPattern {
  /** As it stands in the file, for messages. */
  readonly text: Uint8Array;
  /** `file:line`. */
  readonly origin: string;
  readonly isAbsolute: boolean;
  /** At least one, unless it is `/` alone. */
  readonly components: readonly (Uint8Array | NamePattern)[];
}

/** What expanding patterns asks of the file system. Both answer for what is there now, and don't throw for what is not. */
export interface PathLister {
  /** True if the path exists, a dangling symlink included. */
  exists(path: Uint8Array): boolean;
  /** Names in a directory (or in what a symlink to one leads to), sorted by their bytes; none if it can't be listed. */
  names(directory: Uint8Array): Iterable<Uint8Array>;
}

const slash = 0x2f;
const dot = 0x2e;
const hash = 0x23;
/** `*`, `?`, `[` and `\`. */
const patternBytes = [0x2a, 0x3f, 0x5b, 0x5c];

/** The patterns of a `--files-from` file: no white space around them, no empty lines, no lines that begin with `#`. */
export function parseFilesFrom(file: ListFile): PathPattern[] {
  const patterns: PathPattern[] = [];
  for (const { text: line, origin } of linesOf(file)) {
    const text = trimmed(line);
    if (text.length === 0 || text[0] === hash) continue;
    refuseNul(text, origin);
    patterns.push({
      text,
      origin,
      isAbsolute: text[0] === slash,
      components: componentsOf(text).map((component) => compileComponent(component, text, origin)),
    });
  }
  return patterns;
}

/**
 * The paths that match a pattern, in the order of their bytes at each level. `*` and `?` also match names that begin
 * with a dot. A pattern without wildcards gives itself if it exists. No path at all: the source is missing.
 */
export function* expandPathPattern(
  pattern: PathPattern,
  lister: PathLister,
): Generator<Uint8Array> {
  const start = Uint8Array.from(pattern.isAbsolute ? [slash] : []);
  yield* expandFrom(start, pattern.components, lister);
}

function* expandFrom(
  path: Uint8Array,
  components: readonly (Uint8Array | NamePattern)[],
  lister: PathLister,
): Generator<Uint8Array> {
  const index = components.findIndex((component) => !(component instanceof Uint8Array));
  const plain = index < 0 ? components : components.slice(0, index);
  let base = path;
  for (const name of plain) if (name instanceof Uint8Array) base = join(base, name);
  const wildcard = components[index];
  if (wildcard === undefined || wildcard instanceof Uint8Array) {
    if (base.length > 0 && lister.exists(base)) yield base;
    return;
  }
  for (const name of lister.names(base.length === 0 ? Uint8Array.of(dot) : base)) {
    if (!matchesName(wildcard, name, 0, name.length)) continue;
    yield* expandFrom(join(base, name), components.slice(index + 1), lister);
  }
}

/** The paths of a `--files-from-verbatim` file: every line as it is but for its line end; empty ones are passed over. */
export function parseFilesFromVerbatim(file: ListFile): Uint8Array[] {
  const paths: Uint8Array[] = [];
  for (const { text, origin } of linesOf(file)) {
    if (text.length === 0) continue;
    refuseNul(text, origin);
    paths.push(text);
  }
  return paths;
}

/** The paths of a `--files-from-raw` file, each of which ends with a NUL byte. Throws USAGE if one is empty or open. */
export function parseFilesFromRaw(file: ListFile): Uint8Array[] {
  const bytes = file.content;
  const paths: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    if (end < 0) {
      throw badList(
        file.name,
        "the last path does not end with a NUL byte; the list may be cut off",
      );
    }
    if (end === start) throw badList(file.name, `path ${paths.length + 1} is empty`);
    paths.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return paths;
}

function compileComponent(
  component: Uint8Array,
  text: Uint8Array,
  origin: string,
): Uint8Array | NamePattern {
  if (!component.some((byte) => patternBytes.includes(byte))) return component;
  try {
    return compileNamePattern(component, false);
  } catch (error) {
    if (!(error instanceof PatternSyntaxError)) throw error;
    const pattern = new TextDecoder().decode(text.subarray(0, 200));
    throw new BackstayError("USAGE", { pattern, in: origin, reason: error.message }, error);
  }
}

/** Components without the empty ones; `.` and `..` are left to the file system. */
function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== slash) continue;
    if (at > start) components.push(path.subarray(start, at));
    start = at + 1;
  }
  return components;
}

function join(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const needsSlash = directory.length > 0 && directory[directory.length - 1] !== slash;
  const path = new Uint8Array(directory.length + (needsSlash ? 1 : 0) + name.length);
  path.set(directory);
  if (needsSlash) path[directory.length] = slash;
  path.set(name, path.length - name.length);
  return path;
}

function refuseNul(text: Uint8Array, origin: string): void {
  if (text.includes(0)) {
    throw badList(origin, "it holds a NUL byte; use --files-from-raw, or save it as UTF-8");
  }
}

function badList(origin: string, reason: string): BackstayError {
  return new BackstayError("USAGE", { in: origin, reason });
}
