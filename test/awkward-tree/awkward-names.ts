/** Names that are hard to quote, to sort, to print, or as long as they can be. */
import { Buffer } from "node:buffer";
import type { Name, TreeBuilder } from "./tree-builder.ts";

const mostNameBytes = 255;
const slashByte = 0x2f;

const oddNames: readonly Name[] = [
  "'single' and \"double\" quotes",
  "`back` ticks and $(dollars) $HOME",
  "two\nlines",
  "ends with newline\n",
  "\n",
  "\t",
  "carriage\rreturn",
  "back\\slash",
  "\\",
  "\\x41\\n\\u0041",
  '"',
  " ",
  "  leading and trailing  ",
  "-",
  "-rf",
  "--help",
  "..a",
  "...",
  ".hidden",
  "~",
  "~root",
  "*",
  "?",
  "[a-z]",
  "{a,b}",
  "!",
  "#comment",
  "%00%2f%s",
  "a:b",
  "C:\\folder",
  "CON",
  "nul.txt",
  "trailing dot.",
  "<tag attribute='&amp;'>",
  "\u001b[31mred\u001b[0m",
  "\u007f",
  "\u0080\u009f",
  "\u00a0",
  "\u00ad soft hyphen",
  "\u200d\ufe0f",
  "\u2028\u2029",
  "\u202eright to left",
  "\ue000 private",
  "\ufeffbyte order mark",
  "\ufffd really in the name",
  "\u{e0001}",
  "\u{10ffff}",
  // In UTF-16 these two sort the other way round than in bytes.
  "\u{1f600}",
  "\uff21",
  // One character in two ways: a file system that folds them would lose one.
  "caf\u00e9",
  "cafe\u0301",
  "CASE",
  "case",
];

/** Broken UTF-8: alone, cut off, overlong, surrogates, beyond the last character. */
const brokenNames: readonly (readonly number[])[] = [
  [0x80],
  [0xff],
  [0xfe, 0xff],
  [0xc3],
  [0xc3, 0x28],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x98],
  [0xc0, 0xaf],
  [0xe0, 0x80, 0xaf],
  [0xed, 0xa0, 0x80],
  [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf8, 0x88, 0x80, 0x80, 0x80],
  [0x61, 0xff, 0x0a, 0x22, 0x5c, 0xc3],
];

/** Makes a file of each name, and folders and symlinks of some. */
export function addAwkwardNames(builder: TreeBuilder): void {
  builder.folder("names", "bytes");
  for (let byte = 1; byte < 256; byte += 1) {
    if (byte === slashByte) continue;
    builder.file(["names", "bytes", Buffer.from([0x62, byte, 0x65])], `${byte}`);
    if (byte !== 0x2e) builder.file(["names", "bytes", Buffer.from([byte])]);
  }
  for (const kind of ["odd", "broken"]) builder.folder("names", kind);
  for (const name of oddNames) {
    builder.file(["names", "odd", name], name);
    builder.folder("names", "odd folders", name);
    builder.file(["names", "odd folders", name, name]);
  }
  for (const bytes of brokenNames) {
    const name = Buffer.from(bytes);
    builder.file(["names", "broken", name], name);
    builder.folder("names", "broken folders", name);
    builder.file(["names", "broken folders", name, name]);
  }
  builder.folder("names", "long");
  for (const unit of ["n", "\\", "\n", "é", "\u{1f600}", Buffer.from([0xff])]) {
    const whole = Buffer.alloc(mostNameBytes, "-");
    const one = Buffer.from(unit);
    for (let at = 0; at + one.length <= mostNameBytes; at += one.length) whole.set(one, at);
    builder.file(["names", "long", whole], "x");
  }
}
