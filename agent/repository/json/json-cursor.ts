/**
 * A walk through the bytes of a JSON text: strict about the syntax, without recursion, without strings
 * where they are not asked for, and with integers that keep all 64 bits.
 */
import { BackstayError, type ErrorContext } from "../../../protocol/backstay-error.ts";
import { unescapeJson } from "./json-string.ts";

/** Nothing in a repository nests deeper than a handful of levels. */
export const maximumJsonDepth = 64;

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Longest string that is copied: no name, target or path comes near, and a copy takes memory. */
export const maximumTextBytes = 1024 * 1024;

/** More digits than this may not fit in a JavaScript number. */
const exactDigits = 15;
const maximumU64 = 2n ** 64n - 1n;

/**
 * Where reading stands in `bytes`. Every method throws BackstayError REPOSITORY_DAMAGED with the facts
 * given, the problem and its offset, if the text is not what it expects.
 */
export class JsonCursor {
  readonly bytes: Uint8Array;
  /** Offset of the next byte. */
  at = 0;
  /** The inside of the string read last: `bytes[textStart … textEnd)`. */
  textStart = 0;
  textEnd = 0;
  /** True if that string is printable ASCII without escapes, so that its bytes are its text. */
  textIsPlain = true;
  /** Value of the integer read last, where it is above 2^53-1. */
  big = 0n;
  readonly #facts: ErrorContext;

  constructor(bytes: Uint8Array, facts: ErrorContext) {
    this.bytes = bytes;
    this.#facts = facts;
  }

  fail(problem: string, at = this.at): never {
    throw new BackstayError("REPOSITORY_DAMAGED", { ...this.#facts, problem, offset: at });
  }

  /** Skips white space and answers the byte that follows, or -1 at the end. */
  peek(): number {
    const at = this.at;
    const bytes = this.bytes;
    return at < bytes.length && bytes[at] > 0x20 ? bytes[at] : this.#skipSpace();
  }

  #skipSpace(): number {
    const bytes = this.bytes;
    for (; this.at < bytes.length; this.at += 1) {
      const byte = bytes[this.at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
    }
    return -1;
  }

  /** Takes the given byte, white space before it allowed. */
  expect(byte: number): void {
    if (this.peek() !== byte) this.fail(`"${String.fromCharCode(byte)}" expected`);
    this.at += 1;
  }

  /** Takes `{`; true if members follow, false if the object ended at once. */
  enterObject(): boolean {
    this.expect(openBrace);
    return !this.#close(closeBrace);
  }

  /** After a member: true if another follows, false if the object ended. */
  moreMembers(): boolean {
    return this.#more(closeBrace);
  }

  /** Takes `[`; true if elements follow, false if the array ended at once. */
  enterArray(): boolean {
    this.expect(openBracket);
    return !this.#close(closeBracket);
  }

  /** After an element: true if another follows, false if the array ended. */
  moreElements(): boolean {
    return this.#more(closeBracket);
  }

  #close(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.at += 1;
    return true;
  }

  #more(close: number): boolean {
    const byte = this.peek();
    if (byte !== comma && byte !== close) {
      this.fail(`"," or "${String.fromCharCode(close)}" expected`);
    }
    this.at += 1;
    return byte === comma;
  }

  /** Reads a member's name, which is then the text read last, and its colon. */
  key(): void {
    this.string();
    this.expect(colon);
  }

  /** Takes exactly these bytes if they stand here, white space not looked at. */
  take(text: Uint8Array): boolean {
    const bytes = this.bytes;
    const at = this.at;
    for (let index = 0; index < text.length; index += 1) {
      if (bytes[at + index] !== text[index]) return false;
    }
    this.at = at + text.length;
    return true;
  }

  /** Reads a string; its place is in `textStart`, `textEnd` and `textIsPlain`. */
  string(): void {
    if (this.peek() !== quote) this.fail("string expected");
    const bytes = this.bytes;
    const start = this.at + 1;
    let at = start;
    let plain = true;
    for (; ; at += 1) {
      if (at >= bytes.length) this.fail("string without end", start - 1);
      const byte = bytes[at];
      if (byte === quote) break;
      if (byte < 0x20) this.fail("control character in a string", at);
      if (byte === backslash) {
        at += 1;
        plain = false;
      } else if (byte >= 0x7f) {
        plain = false;
      }
    }
    this.textStart = start;
    this.textEnd = at;
    this.textIsPlain = plain;
    this.at = at + 1;
  }

  /** A copy of the UTF-8 bytes of the string read last, which may be 1 MiB long as it is written. */
  text(): Uint8Array {
    if (this.textEnd - this.textStart > maximumTextBytes) {
      this.fail("string longer than 1 MiB", this.textStart);
    }
    if (this.textIsPlain) return this.bytes.slice(this.textStart, this.textEnd);
    const text = unescapeJson(this.bytes, this.textStart, this.textEnd);
    return text ?? this.fail("invalid escape in a string", this.textStart);
  }

  /** Takes `null` if it stands here. */
  takeNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    this.#literal("null");
    return true;
  }

  /** Reads `true` or `false`. */
  boolean(): boolean {
    const byte = this.peek();
    if (byte !== 0x74 && byte !== 0x66) this.fail("true or false expected");
    this.#literal(byte === 0x74 ? "true" : "false");
    return byte === 0x74;
  }

  /**
   * Reads an integer 0 … 2^64-1 without sign, fraction or exponent. Answers it if it is at most 2^53-1;
   * answers -1 and sets `big` otherwise.
   */
  unsigned(): number {
    const first = this.peek();
    if (first < 0x30 || first > 0x39) this.fail("whole number without sign expected");
    const bytes = this.bytes;
    const start = this.at;
    let value = 0;
    let at = start;
    for (; at < bytes.length; at += 1) {
      const digit = bytes[at] - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    const next = bytes[at];
    if (next === 0x2e || next === 0x65 || next === 0x45) this.fail("whole number expected", start);
    if (first === 0x30 && at > start + 1) this.fail("number begins with 0", start);
    this.at = at;
    return at - start <= exactDigits ? value : this.#large(start, at);
  }

  #large(start: number, end: number): number {
    if (end - start > 20) this.fail("number above 2^64-1", start);
    const value = BigInt(asciiText(this.bytes, start, end));
    if (value > maximumU64) this.fail("number above 2^64-1", start);
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    this.big = value;
    return -1;
  }

  /** Skips a number of any form; true if it is a whole one. */
  skipNumber(): boolean {
    const start = this.at;
    if (this.bytes[this.at] === 0x2d) this.at += 1;
    const firstDigit = this.at;
    this.#digits();
    if (this.bytes[firstDigit] === 0x30 && this.at > firstDigit + 1) {
      this.fail("number begins with 0", start);
    }
    let whole = true;
    if (this.bytes[this.at] === 0x2e) {
      whole = false;
      this.at += 1;
      this.#digits();
    }
    if (this.bytes[this.at] === 0x65 || this.bytes[this.at] === 0x45) {
      whole = false;
      this.at += 1;
      if (this.bytes[this.at] === 0x2b || this.bytes[this.at] === 0x2d) this.at += 1;
      this.#digits();
    }
    return whole;
  }

  #digits(): void {
    const start = this.at;
    while (this.bytes[this.at] >= 0x30 && this.bytes[this.at] <= 0x39) this.at += 1;
    if (this.at === start) this.fail("value expected");
  }

  /** Skips one value, checking its syntax; `depth` is the nesting that it already lies in. */
  skipValue(depth = 0): void {
    const closers: number[] = [];
    do {
      const byte = this.peek();
      if (byte !== openBrace && byte !== openBracket) this.#skipScalar(byte);
      else if (closers.length + depth >= maximumJsonDepth) this.fail("nested too deeply");
      else if (this.#open(byte, closers)) continue;
      this.#closeContainers(closers);
    } while (closers.length > 0);
  }

  /** Enters a container and goes to its first value; false if it has none. */
  #open(byte: number, closers: number[]): boolean {
    const more = byte === openBrace ? this.enterObject() : this.enterArray();
    if (!more) return false;
    closers.push(byte === openBrace ? closeBrace : closeBracket);
    if (byte === openBrace) this.key();
    return true;
  }

  /** After a value: closes the containers that end with it, and goes to the next value of the last. */
  #closeContainers(closers: number[]): void {
    for (let depth = closers.length - 1; depth >= 0; depth -= 1) {
      if (this.#more(closers[depth])) {
        if (closers[depth] === closeBrace) this.key();
        return;
      }
      closers.pop();
    }
  }

  #skipScalar(byte: number): void {
    if (byte === quote) {
      this.string();
      // What nobody wants to have must still be a string, however long.
      if (!this.textIsPlain) this.#checkEscapes();
    } else if (byte === 0x74 || byte === 0x66) {
      this.boolean();
    } else if (!this.takeNull()) {
      this.skipNumber();
    }
  }

  /** Looks at the escapes of the string read last, piece by piece. */
  #checkEscapes(): void {
    for (let at = this.textStart; at < this.textEnd; at += 1) {
      if (this.bytes[at] !== backslash) continue;
      const end = at + (this.bytes[at + 1] === 0x75 ? 6 : 2);
      if (end > this.textEnd || unescapeJson(this.bytes, at, end) === undefined) {
        this.fail("invalid escape in a string", at);
      }
      at = end - 1;
    }
  }

  /** Nothing but white space may follow. */
  finish(): void {
    if (this.peek() !== -1) this.fail("text after the end");
  }

  #literal(word: string): void {
    for (let index = 0; index < word.length; index += 1) {
      if (this.bytes[this.at + index] !== word.charCodeAt(index)) this.fail("value expected");
    }
    this.at += word.length;
  }
}

/** The text of bytes that are ASCII. */
export function asciiText(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 1) text += String.fromCharCode(bytes[at]);
  return text;
}
