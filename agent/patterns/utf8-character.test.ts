import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { characterAt, rawByteCode, writeCharacter } from "./utf8-character.ts";

function codesOf(bytes: Uint8Array): number[] {
  const codes: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const character = characterAt(bytes, at, bytes.length);
    codes.push(character >> 3);
    at += character & 7;
  }
  return codes;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes that are often nearly valid UTF-8. */
const nearlyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }).map((text) => [...Buffer.from(text)]),
      fc.array(fc.constantFrom(0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xa0, 0xf0, 0x90, 0xf4, 0xff)),
    ),
    { maxLength: 6 },
  )
  .map((parts) => Uint8Array.from(parts.flat()));

describe("characterAt", () => {
  it("reads every character as it was written", () => {
    const target = new Uint8Array(8);
    for (let code = 0; code < rawByteCode; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const length = writeCharacter(code, target, 1);
      if (characterAt(target, 1, 1 + length) !== ((code << 3) | length)) expect.fail(`${code}`);
    }
  });

  it("reads text as its code points", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(codesOf(Buffer.from(text))).toEqual(
          [...text.toWellFormed()].map((character) => character.codePointAt(0)),
        );
      }),
    );
  });

  it("takes each invalid byte alone, exactly where bytes are not UTF-8", () => {
    fc.assert(
      fc.property(nearlyText, (bytes) => {
        const codes = codesOf(bytes);
        expect(codes.every((code) => code < rawByteCode)).toBe(isUtf8(bytes));
        const back = new Uint8Array(bytes.length + 4);
        let length = 0;
        for (const code of codes) length += writeCharacter(code, back, length);
        expect(back.subarray(0, length)).toEqual(bytes);
      }),
      { numRuns: 1000 },
    );
  });

  it("does not look beyond the end", () => {
    expect(characterAt(Buffer.from("é"), 0, 1)).toBe(((rawByteCode + 0xc3) << 3) | 1);
  });
});
