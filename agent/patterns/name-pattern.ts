/**
 * The pattern of one path component, compiled. It has no `/`; `*` is any run of characters, `?` one character,
 * `[a-z]` one of a class (`[!…]` and `[^…]` one outside it), and `\` takes the next character as it is.
 *
 * Matching takes at most (characters of the name) × (length of the pattern) steps: only the last `*` is ever tried
 * again, which is enough because everything else stands for exactly one character.
 */
import { foldCharacter } from "./case-fold.ts";
import { characterAt, rawByteCode, writeCharacter } from "./utf8-character.ts";

/** How a pattern is matched: the first three by comparing bytes, `any` always, `general` by its program. */
export type NamePatternKind = "literal" | "prefix" | "suffix" | "any" | "general";

export interface NamePattern {
  /** As it was written, a character for each byte. */
  readonly text: string;
  readonly kind: NamePatternKind;
  /** The whole name, its beginning or its end. Empty for `any` and `general`. */
  readonly literal: Uint8Array;
  /** One step a character: its code, or one of the negative steps below. */
  readonly program: Int32Array;
  /** Classes by the number that their step carries. */
  readonly classes: readonly CharacterClass[];
  /** The byte that every matching name begins with, or -1. */
  readonly firstByte: number;
  /** The byte that every matching name ends with, or -1. */
  readonly lastByte: number;
}

interface CharacterClass {
  readonly negated: boolean;
  /** Pairs of first and last code. */
  readonly ranges: Int32Array;
}

const anyRun = -1;
const anyCharacter = -2;
/** Class number n is the step `firstClass - n`. */
const firstClass = -3;

/** What is wrong with a pattern, in words that follow its text. */
export class PatternSyntaxError extends Error {
  override readonly name = "PatternSyntaxError";
}

/** Compiles one component. With `folded` it is to be matched with folded names. Throws PatternSyntaxError. */
export function compileNamePattern(text: Uint8Array, folded: boolean): NamePattern {
  const parser = new NamePatternParser(text, folded);
  const { program, classes } = parser.parse();
  const kind = kindOf(program);
  const isLiteral = kind === "literal" || kind === "prefix" || kind === "suffix";
  const literal = isLiteral ? encode(program.filter((step) => step >= 0)) : new Uint8Array(0);
  return {
    text: String.fromCharCode(...text),
    kind,
    literal,
    program: Int32Array.from(program),
    classes,
    firstByte: firstByteOf(program[0]),
    lastByte: lastByteOf(program[program.length - 1]),
  };
}

/** True if the name `names[start, end)`, folded where the pattern is, matches as a whole. */
export function matchesName(
  pattern: NamePattern,
  names: Uint8Array,
  start: number,
  end: number,
): boolean {
  const literal = pattern.literal;
  switch (pattern.kind) {
    case "any":
      return true;
    case "literal":
      return end - start === literal.length && holdsAt(literal, names, start);
    case "prefix":
      return end - start >= literal.length && holdsAt(literal, names, start);
    case "suffix":
      return end - start >= literal.length && holdsAt(literal, names, end - literal.length);
    case "general":
      return runProgram(pattern, names, start, end);
  }
}

function holdsAt(literal: Uint8Array, names: Uint8Array, at: number): boolean {
  for (let index = literal.length - 1; index >= 0; index--) {
    if (literal[index] !== names[at + index]) return false;
  }
  return true;
}

function runProgram(pattern: NamePattern, names: Uint8Array, start: number, end: number): boolean {
  const program = pattern.program;
  let step = 0;
  let at = start;
  let retryStep = -1;
  let retryAt = 0;
  while (at < end) {
    if (step < program.length && program[step] === anyRun) {
      if (++step === program.length) return true;
      retryStep = step;
      at = possibleStart(program[step], names, at, end);
      retryAt = at;
      continue;
    }
    const character = characterAt(names, at, end);
    if (step < program.length && stepTakes(pattern, program[step], character >> 3)) {
      at += character & 7;
      step++;
      continue;
    }
    if (retryStep < 0) return false;
    retryAt += characterAt(names, retryAt, end) & 7;
    retryAt = possibleStart(program[retryStep], names, retryAt, end);
    at = retryAt;
    step = retryStep;
  }
  while (step < program.length && program[step] === anyRun) step++;
  return step === program.length;
}

/** Where a step may match at the earliest. An ASCII byte is never a part of a longer character. */
function possibleStart(step: number, names: Uint8Array, from: number, end: number): number {
  let at = from;
  if (step >= 0 && step < 0x80) while (at < end && names[at] !== step) at++;
  return at;
}

function stepTakes(pattern: NamePattern, step: number, code: number): boolean {
  if (step >= 0) return step === code;
  if (step === anyCharacter) return true;
  const { negated, ranges } = pattern.classes[firstClass - step];
  for (let index = 0; index < ranges.length; index += 2) {
    if (code >= ranges[index] && code <= ranges[index + 1]) return !negated;
  }
  return negated;
}

function kindOf(program: readonly number[]): NamePatternKind {
  if (program.length === 1 && program[0] === anyRun) return "any";
  if (program.every((step) => step >= 0)) return "literal";
  // Bytes of no character may be the middle of one in a name, so they are compared as characters.
  if (program.some((step) => step >= rawByteCode)) return "general";
  if (program[0] === anyRun && program.slice(1).every((step) => step >= 0)) return "suffix";
  const last = program.length - 1;
  if (program[last] === anyRun && program.slice(0, last).every((step) => step >= 0)) {
    return "prefix";
  }
  return "general";
}

function encode(codes: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(codes.length * 4);
  let length = 0;
  for (const code of codes) length += writeCharacter(code, bytes, length);
  return bytes.slice(0, length);
}

function firstByteOf(step: number | undefined): number {
  return step === undefined || step < 0 ? -1 : encode([step])[0];
}

function lastByteOf(step: number | undefined): number {
  return step === undefined || step < 0 ? -1 : (encode([step]).at(-1) ?? -1);
}

const asterisk = 0x2a;
const questionMark = 0x3f;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const backslash = 0x5c;
const hyphen = 0x2d;
const exclamationMark = 0x21;
const caret = 0x5e;

/** Reads the text of one component character by character. */
class NamePatternParser {
  readonly #text: Uint8Array;
  readonly #folded: boolean;
  readonly #classes: CharacterClass[] = [];
  #at = 0;

  constructor(text: Uint8Array, folded: boolean) {
    this.#text = text;
    this.#folded = folded;
  }

  parse(): { program: number[]; classes: CharacterClass[] } {
    const program: number[] = [];
    while (this.#at < this.#text.length) {
      const code = this.#next();
      if (code === asterisk) {
        if (program.at(-1) !== anyRun) program.push(anyRun);
      } else if (code === questionMark) program.push(anyCharacter);
      else if (code === openBracket) program.push(this.#class());
      else program.push(this.#fold(code === backslash ? this.#escaped() : code));
    }
    return { program, classes: this.#classes };
  }

  #class(): number {
    const mark = this.#peek();
    const negated = mark === exclamationMark || mark === caret;
    if (negated) this.#at++;
    const ranges: number[] = [];
    while (ranges.length === 0 || this.#peek() !== closeBracket) {
      const low = this.#classCharacter();
      let high = low;
      if (this.#peek() === hyphen) {
        this.#at++;
        high = this.#classCharacter();
      }
      ranges.push(low, high);
    }
    this.#at++;
    this.#classes.push({ negated, ranges: Int32Array.from(ranges) });
    return firstClass - (this.#classes.length - 1);
  }

  #classCharacter(): number {
    if (this.#at >= this.#text.length) throw new PatternSyntaxError("`[` without its `]`");
    const code = this.#next();
    if (code === closeBracket || code === hyphen) {
      throw new PatternSyntaxError(
        `${String.fromCharCode(code)} inside [ ] must be written with a backslash before it`,
      );
    }
    return this.#fold(code === backslash ? this.#escaped() : code);
  }

  #escaped(): number {
    if (this.#at >= this.#text.length) {
      throw new PatternSyntaxError("a backslash with nothing after it");
    }
    return this.#next();
  }

  #next(): number {
    const character = characterAt(this.#text, this.#at, this.#text.length);
    this.#at += character & 7;
    return character >> 3;
  }

  /** The byte that comes next, or -1. Enough for the marks, which are all ASCII. */
  #peek(): number {
    return this.#at < this.#text.length ? this.#text[this.#at] : -1;
  }

  #fold(code: number): number {
    return this.#folded ? foldCharacter(code) : code;
  }
}
