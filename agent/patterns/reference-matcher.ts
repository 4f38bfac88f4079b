/** A slow matcher of names and paths for the tests of this folder, written as the rules read. */
import { foldCharacter } from "./case-fold.ts";

/** One valid UTF-8 sequence, or one byte. */
const oneCharacter =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|./gs;

/** Characters of a raw name; a byte that is not UTF-8 becomes `<hex>`. */
export function charactersOf(name: Uint8Array): string[] {
  const latin = Buffer.from(name).toString("latin1");
  return (latin.match(oneCharacter) ?? []).map((sequence) =>
    sequence.length === 1 && sequence > "\x7f"
      ? `<${sequence.charCodeAt(0).toString(16)}>`
      : Buffer.from(sequence, "latin1").toString("utf8"),
  );
}

/** True if a pattern of one component matches these characters as a whole. */
export function referenceNameMatch(pattern: string, name: readonly string[]): boolean {
  if (pattern === "") return name.length === 0;
  if (pattern.startsWith("*")) {
    const rest = pattern.slice(1);
    return (
      name.some((_, at) => referenceNameMatch(rest, name.slice(at))) || referenceNameMatch(rest, [])
    );
  }
  const [token] = pattern.match(/^\\.|^\[(\\.|[^\]\\])*\]|^./su) ?? [""];
  const [first, ...others] = name;
  if (first === undefined || !takes(token, first)) return false;
  return referenceNameMatch(pattern.slice(token.length), others);
}

function takes(token: string, character: string): boolean {
  if (token === "?") return true;
  if (token.startsWith("\\")) return token.slice(1) === character;
  if (!token.startsWith("[") || token.length < 2) return token === character;
  const [, mark, body] = /^\[([!^]?)(.*)\]$/su.exec(token) ?? [];
  const isIn = [...(body ?? "").matchAll(/\\?(.)(?:-\\?(.))?/gsu)].some(
    ([, low, high = low]) =>
      [...character].length === 1 &&
      ordinal(character) >= ordinal(low) &&
      ordinal(character) <= ordinal(high),
  );
  return isIn !== (mark !== "");
}

function ordinal(character: string): number {
  return character.codePointAt(0) ?? -1;
}

/** A pattern of a list, in the subset that the tests write: no `.` or `..`, no empty component. */
export interface ReferencePattern {
  readonly text: string;
  readonly caseInsensitive: boolean;
}

/** True if the last pattern that matches the path, or anything above it, is not negated. */
export function referencePathMatch(
  patterns: readonly ReferencePattern[],
  path: readonly Uint8Array[],
): boolean {
  const names = path.map(charactersOf);
  let verdict = false;
  for (const { text, caseInsensitive } of patterns) {
    const isNegated = text.startsWith("!");
    const plain = isNegated ? text.slice(1) : text;
    const pattern = caseInsensitive ? folded(plain) : plain;
    const compared = caseInsensitive ? names.map((name) => name.map(folded)) : names;
    if (names.some((_, end) => matchesPath(pattern, compared.slice(0, end + 1)))) {
      verdict = !isNegated;
    }
  }
  return verdict;
}

function folded(text: string): string {
  return [...text].map((each) => String.fromCodePoint(foldCharacter(ordinal(each)))).join("");
}

function matchesPath(pattern: string, path: readonly (readonly string[])[]): boolean {
  const isAnchored = pattern.startsWith("/");
  const parts = pattern.split("/").filter((part) => part !== "");
  const starts = isAnchored ? [0] : path.map((_, index) => index);
  return starts.some((start) => matchesParts(parts, path.slice(start)));
}

function matchesParts(parts: readonly string[], path: readonly (readonly string[])[]): boolean {
  const [part, ...others] = parts;
  if (part === undefined) return path.length === 0;
  if (part === "**") {
    return path.some((_, at) => matchesParts(others, path.slice(at))) || matchesParts(others, []);
  }
  const [name, ...below] = path;
  return name !== undefined && referenceNameMatch(part, name) && matchesParts(others, below);
}
