/** One pattern of a list, taken apart: what it negates, where it is anchored, and its path components. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { compileNamePattern, type NamePattern, PatternSyntaxError } from "./name-pattern.ts";

/** A pattern as somebody wrote it. */
export interface PatternSource {
  /** UTF-8, or raw bytes where it must match names that are not UTF-8. An empty one is ignored. */
  readonly text: string | Uint8Array;
  readonly caseInsensitive: boolean;
  /** Where it stands, for messages: an option, or `file:line`. */
  readonly origin?: string;
}

/** Any number of directories, none included: the component `**`. */
export const anyDirectories = "any-directories";

export type PatternPart = NamePattern | typeof anyDirectories;

/** A pattern ready for a set. */
export interface ParsedPattern {
  /** Takes back what patterns before it matched. */
  readonly negated: boolean;
  readonly caseInsensitive: boolean;
  /** The first part must be an entry of the topmost directory; otherwise it may be anywhere. */
  readonly anchored: boolean;
  /** At least one; the first (unless anchored) and the last are never `anyDirectories`, nor are two neighbours. */
  readonly parts: readonly PatternPart[];
}

/** Bounds on what one pattern may ask for. */
export const patternLimits = {
  textBytes: 8192,
  /** Of `**` in one pattern. */
  anyDirectories: 64,
} as const;

const slash = 0x2f;
const dot = 0x2e;
const asterisk = 0x2a;
const exclamationMark = 0x21;

/** Takes a pattern apart; undefined if it is empty. Throws USAGE that names the pattern, its origin and what is wrong. */
export function parsePattern(source: PatternSource): ParsedPattern | undefined {
  const text = bytesOf(source);
  if (text.length === 0) return undefined;
  if (text.length > patternLimits.textBytes) {
    throw badPattern(source, `longer than ${patternLimits.textBytes} bytes`);
  }
  if (text.includes(0))
    throw badPattern(source, "it holds a NUL byte; is its file UTF-16 without a mark?");
  if (typeof source.text === "string" && !isTrueText(source.text)) {
    throw badPattern(
      source,
      "it is not UTF-8; write it to an exclude file, or put `?` for each such byte",
    );
  }
  const negated = text[0] === exclamationMark;
  const path = negated ? text.subarray(1) : text;
  const components = clean(source, path);
  const parts = simplify(components.map((component) => compilePart(source, component)));
  if (parts.filter((part) => part === anyDirectories).length > patternLimits.anyDirectories) {
    throw badPattern(source, `it holds \`**\` more than ${patternLimits.anyDirectories} times`);
  }
  // `/**/x` is an x anywhere.
  const floats = path[0] !== slash || parts[0] === anyDirectories;
  if (parts[0] === anyDirectories) parts.shift();
  const everything = parts.length === 0;
  return {
    negated,
    caseInsensitive: source.caseInsensitive,
    anchored: !floats && !everything,
    parts: everything ? [compileNamePattern(Uint8Array.of(asterisk), false)] : parts,
  };
}

/** The error for a pattern that can't be used. */
export function badPattern(source: PatternSource, reason: string, cause?: unknown): BackstayError {
  const text = new TextDecoder().decode(bytesOf(source).subarray(0, 200));
  const origin = source.origin === undefined ? {} : { in: source.origin };
  return new BackstayError("USAGE", { pattern: text, ...origin, reason }, cause);
}

/** A pattern that matches exactly the entry at an absolute path, and all below it. */
export function patternOfPath(path: Uint8Array): Uint8Array {
  const special = new Set([asterisk, 0x3f, 0x5b, 0x5d, 0x5c]);
  const bytes: number[] = path[0] === slash ? [] : [slash];
  for (const byte of path) {
    if (special.has(byte)) bytes.push(0x5c);
    bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

function bytesOf(source: PatternSource): Uint8Array {
  return typeof source.text === "string" ? new TextEncoder().encode(source.text) : source.text;
}

/** False for text that stands for bytes which could not be decoded, as arguments that are not UTF-8 arrive. */
function isTrueText(text: string): boolean {
  return text.isWellFormed() && !text.includes("\ufffd");
}

/** The components of a path without empty ones and `.`, and with each `..` taking away what stands before it. */
function clean(source: PatternSource, path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  let start = 0;
  for (let at = 0; at <= path.length; at++) {
    if (at < path.length && path[at] !== slash) continue;
    const component = path.subarray(start, at);
    start = at + 1;
    if (component.length === 0 || isOnly(component, dot, 1)) continue;
    if (!isOnly(component, dot, 2)) components.push(component);
    else if (components.pop() === undefined && path[0] !== slash) {
      throw badPattern(source, "it begins with `..`, but patterns are compared with full paths");
    }
  }
  if (components.length === 0 && path[0] !== slash) {
    throw badPattern(source, "it names nothing");
  }
  return components;
}

function compilePart(source: PatternSource, component: Uint8Array): PatternPart {
  if (isOnly(component, asterisk, 2)) return anyDirectories;
  try {
    return compileNamePattern(component, source.caseInsensitive);
  } catch (error) {
    if (error instanceof PatternSyntaxError) throw badPattern(source, error.message, error);
    throw error;
  }
}

/** Without repeated `**` and without `**` at the end, which add nothing: a match takes in all below it. */
function simplify(parts: readonly PatternPart[]): PatternPart[] {
  const kept = parts.filter(
    (part, index) => part !== anyDirectories || parts[index - 1] !== anyDirectories,
  );
  if (kept.at(-1) === anyDirectories) kept.pop();
  return kept;
}

function isOnly(component: Uint8Array, byte: number, length: number): boolean {
  return component.length === length && component.every((each) => each === byte);
}
