/** Files of patterns, for `--exclude-file` and its kin: comments, and variables of the environment. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { PatternSource } from "../../patterns/pattern.ts";
import { type ListFile, type ListLine, linesOf, trimmed } from "./list-text.ts";

/** The value of a variable of the environment, undefined if it is not set. */
export type Environment = (name: string) => string | undefined;

const hash = 0x23;
const dollar = 0x24;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Names of one character that a shell gives a meaning of its own; restic asks for variables of these names. */
const specialNames = new Set(Buffer.from("*#@!?-"));

/**
 * The patterns of a file, one a line: white space around a pattern is dropped, as are empty lines and lines that begin
 * with `#`. `$NAME` and `${NAME}` are replaced, `$$` is a dollar sign. Throws USAGE for a variable that is not set: an
 * exclude that quietly becomes another one would save what must not be saved, or leave out what must.
 */
export function parseExcludeFile(
  file: ListFile,
  caseInsensitive: boolean,
  environment: Environment,
): PatternSource[] {
  const patterns: PatternSource[] = [];
  for (const line of linesOf(file)) {
    const text = trimmed(line.text);
    if (text.length === 0 || text[0] === hash) continue;
    patterns.push({
      text: text.includes(dollar) ? expand({ ...line, text }, environment) : text,
      caseInsensitive,
      origin: line.origin,
    });
  }
  return patterns;
}

function expand(line: ListLine, environment: Environment): Uint8Array {
  const text = line.text;
  const parts: Uint8Array[] = [];
  let copied = 0;
  for (let at = text.indexOf(dollar); at >= 0; at = text.indexOf(dollar, copied)) {
    parts.push(text.subarray(copied, at));
    const name = variableAt(line, at + 1);
    copied = at + 1 + name.widthBytes;
    parts.push(Buffer.from(valueNamed(line, name.text, environment)));
  }
  parts.push(text.subarray(copied));
  return Buffer.concat(parts);
}

/** The variable named after a dollar sign, and how many bytes its name takes; no name if none stands there. */
function variableAt(line: ListLine, at: number): { text: string; widthBytes: number } {
  const text = line.text;
  if (text[at] === openBrace) {
    const close = text.indexOf(closeBrace, at);
    if (close <= at + 1) throw badVariable(line, "a brace after a dollar sign that holds no name");
    return { text: nameText(text, at + 1, close), widthBytes: close + 1 - at };
  }
  if (text[at] === dollar || specialNames.has(text[at]) || isDigit(text[at])) {
    return { text: nameText(text, at, at + 1), widthBytes: 1 };
  }
  let end = at;
  while (end < text.length && isNameByte(text[end])) end++;
  return { text: nameText(text, at, end), widthBytes: end - at };
}

function valueNamed(line: ListLine, name: string, environment: Environment): string {
  if (name === "" || name === "$") return "$";
  const value = environment(name);
  if (value === undefined) {
    throw badVariable(line, `the variable ${name} is not set; write $$ for a dollar sign`);
  }
  if (value.includes("\ufffd")) {
    throw badVariable(line, `the variable ${name} holds bytes that are not UTF-8`);
  }
  return value;
}

function badVariable(line: ListLine, reason: string): BackstayError {
  const pattern = new TextDecoder().decode(line.text.subarray(0, 200));
  return new BackstayError("USAGE", { pattern, in: line.origin, reason });
}

function nameText(text: Uint8Array, start: number, end: number): string {
  return new TextDecoder().decode(text.subarray(start, end));
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function isNameByte(byte: number): boolean {
  const letter = byte | 0x20;
  return isDigit(byte) || byte === 0x5f || (letter >= 0x61 && letter <= 0x7a);
}
