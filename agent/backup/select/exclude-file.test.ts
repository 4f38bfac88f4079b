import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { parseExcludeFile } from "./exclude-file.ts";

const variables = new Map([
  ["HOME", "/srv/ann"],
  ["EMPTY", ""],
  ["A_1", "a"],
  ["BAD", "x\ufffd"],
]);

function parse(content: string | Uint8Array): [string, string | undefined][] {
  const bytes = typeof content === "string" ? Buffer.from(content) : content;
  const file = { name: "list.txt", content: bytes };
  return parseExcludeFile(file, false, (name) => variables.get(name)).map((pattern) => [
    Buffer.from(pattern.text as Uint8Array).toString("latin1"),
    pattern.origin,
  ]);
}

const texts = (content: string | Uint8Array): string[] => parse(content).map(([text]) => text);

const braced = (name: string): string => `$\{${name}}`;

describe("parseExcludeFile", () => {
  it("takes a pattern a line, without comments, empty lines and white space around", () => {
    expect(parse("# all\n*.tmp\n\n  a b.txt \t\n \n  # more\n!keep\\#\n")).toEqual([
      ["*.tmp", "list.txt:2"],
      ["a b.txt", "list.txt:4"],
      ["!keep\\#", "list.txt:7"],
    ]);
  });

  it("needs no line feed at the end, and takes both kinds of line ends", () => {
    expect(texts("a\r\nb\n\r\nc")).toEqual(["a", "b", "c"]);
    expect(texts("")).toEqual([]);
  });

  it("reads UTF-8 and UTF-16 with a byte order mark", () => {
    expect(texts(Buffer.from("\ufeffa\nb"))).toEqual(["a", "b"]);
    expect(texts(Buffer.from("\ufeffa\r\né", "utf16le"))).toEqual(["a", "\xc3\xa9"]);
    expect(texts(Buffer.from("\ufeffa\r\né", "utf16le").swap16())).toEqual(["a", "\xc3\xa9"]);
    expect(() => texts(Uint8Array.of(0xff, 0xfe, 0x41))).toThrow("not valid UTF-16");
  });

  it("keeps bytes that are not UTF-8", () => {
    expect(texts(Uint8Array.of(0x20, 0xe9, 0x2a, 0x20, 0x0a, 0xff))).toEqual(["\xe9*", "\xff"]);
  });

  it.each([
    ["$HOME/x", "/srv/ann/x"],
    [`${braced("HOME")}x`, "/srv/annx"],
    ["$A_1$A_1.b", "aa.b"],
    [`x${braced("EMPTY")}y`, "xy"],
    ["~$$*.docx", "~$*.docx"],
    [`${braced("$")}x`, "$x"],
    ["a$", "a$"],
    ["a$/b", "a$/b"],
    ["$.x", "$.x"],
  ])("expands %s to %s", (line, expected) => {
    expect(texts(line)).toEqual([expected]);
  });

  it.each([
    ["a\n$MISSING/x", "list.txt:2", "MISSING is not set"],
    ["~$*.docx", "list.txt:1", "write $$"],
    ["$RECYCLE.BIN", "list.txt:1", "RECYCLE is not set"],
    ["$1", "list.txt:1", "1 is not set"],
    ["${HOME", "list.txt:1", "brace"],
    [braced(""), "list.txt:1", "brace"],
    ["$BAD", "list.txt:1", "not UTF-8"],
  ])("refuses %j and names the line", (content, origin, reason) => {
    expect(() => parse(content)).toThrow(origin);
    expect(() => parse(content)).toThrow(reason);
  });

  it("leaves a pattern that becomes empty to the patterns, which ignore it", () => {
    expect(texts("$EMPTY")).toEqual([""]);
  });

  it("throws nothing but USAGE on any bytes", () => {
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from("{}$$\n\r# ")));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
        try {
          parse(Uint8Array.from(bytes));
        } catch (error) {
          expect(isBackstayError(error, "USAGE")).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
