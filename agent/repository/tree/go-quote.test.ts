import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goJsonString } from "../json/go-string.ts";
import { nameExpansion, quoteName, unquoteName, writeJsonName } from "./go-quote.ts";
import { isPrintable } from "./printable.ts";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const quotedText = (name: Uint8Array) => Buffer.from(quoteName(name)).toString("utf8");
const jsonName = (name: Uint8Array) => {
  const target = new Uint8Array(name.length * nameExpansion);
  return Buffer.from(target.subarray(0, writeJsonName(target, 0, name, 0, name.length)));
};

/** Characters that this Node prints and the pinned table does not: those of Unicode 15.1, 16.0 and 17.0. */
const assignedLater =
  "88f 897 c5c cdc 1acf-1add 1ae0-1aeb 1b4e-1b4f 1b7f 1c89-1c8a 20c1 2427-2429 2b96 2ffc-2fff " +
  "31e4-31e5 31ef a7cb-a7cf a7d2 a7d4 a7da-a7dc a7f1 fbc3-fbd2 fd90-fd91 fdc8-fdce 105c0-105f3 " +
  "10940-10959 10d40-10d65 10d69-10d85 10d8e-10d8f 10ec2-10ec7 10ed0-10ed8 10efa-10efc 11380-11389 " +
  "1138b 1138e 11390-113b5 113b7-113c0 113c2 113c5 113c7-113ca 113cc-113d5 113d7-113d8 113e1-113e2 " +
  "116d0-116e3 11b60-11b67 11bc0-11be1 11bf0-11bf9 11db0-11ddb 11de0-11de9 11f5a 13460-143fa " +
  "16100-16139 16d40-16d79 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff 18cff 18d09-18d1e " +
  "18d80-18df2 1cc00-1ccfc 1cd00-1ceb3 1ceba-1ced0 1cee0-1cef0 1e5d0-1e5fa 1e5ff 1e6c0-1e6de " +
  "1e6e0-1e6f5 1e6fe-1e6ff 1f6d8 1f777-1f77a 1f8b2-1f8bb 1f8c0-1f8c1 1f8d0-1f8d8 1fa54-1fa57 " +
  "1fa89-1fa8a 1fa8e-1fa8f 1fabe 1fac6 1fac8 1facd 1fadc 1fadf 1fae9-1faea 1faef 1fbcb-1fbef 1fbfa " +
  "2b73a-2b73f 2cea2-2cead 2ebf0-2ee5d 323b0-33479";

describe("quoteName", () => {
  it.each([
    ["\x01", "\\x01"],
    ["\x07", "\\a"],
    ["\b\f\v", "\\b\\f\\v"],
    ["\t\r\n", "\\t\\r\\n"],
    ["\x7f", "\\x7f"],
    ["\x1b[0m", "\\x1b[0m"],
    ['a"b\\c', 'a\\"b\\\\c'],
    ["'`$<", "'`$<"],
    ["\xc2\xa0", "\\u00a0"],
    ["\xc2\xad", "\\u00ad"],
    ["\xe2\x80\xa8", "\\u2028"],
    ["\xe2\x80\x8d", "\\u200d"],
    ["\xe3\x80\x80", "\\u3000"],
    ["\xed\xa0\x80", "\\xed\\xa0\\x80"],
    ["\xee\x80\x80", "\\ue000"],
    ["\xf3\xa0\x80\x81", "\\U000e0001"],
    ["\xf4\x8f\xbf\xbf", "\\U0010ffff"],
    ["\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"],
    ["\xc0\xaf", "\\xc0\\xaf"],
    ["cut\xe2\x82", "cut\\xe2\\x82"],
    ["\xff\xfe", "\\xff\\xfe"],
  ])("writes %j as Go does", (name, quoted) => {
    expect(quotedText(latin1(name))).toBe(quoted);
  });

  it.each(["é", "e\u0301", "\ufe0f", "\ufffd", "\u{1fae8}", "日本", "😀"])(
    "leaves %s as it is",
    (name) => {
      expect(quotedText(Buffer.from(name))).toBe(name);
    },
  );

  it("is undone by unquoteName, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (name) => {
        expect(unquoteName(quoteName(name))).toEqual(name);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const name = new TextEncoder().encode(text);
        expect(unquoteName(quoteName(name))).toEqual(name);
      }),
    );
  });
});

describe("writeJsonName", () => {
  it("escapes names with everything in them for Go and then for JSON", () => {
    const name = Buffer.concat([Buffer.from('<a\\b>\u00a0&"\n\u2028é'), Buffer.from([0xff])]);
    expect(jsonName(name).toString()).toBe(
      '\\u003ca\\\\\\\\b\\u003e\\\\u00a0\\u0026\\\\\\"\\\\n\\\\u2028é\\\\xff',
    );
  });

  it("writes what quoting and then Go's JSON strings would give", () => {
    const name = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.string({ unit: "binary" }).map((text) => new TextEncoder().encode(text)),
    );
    fc.assert(
      fc.property(name, (bytes) => {
        const expected = goJsonString(quotedText(bytes)).slice(1, -1);
        expect(jsonName(bytes)).toEqual(Buffer.from(expected));
      }),
    );
  });
});

describe("unquoteName", () => {
  it.each([
    ["a\\bc", "a\bc"],
    ["\\101\\377", "A\xff"],
    ["\\u00e9", "\xc3\xa9"],
    ["\\U0001f600", "\xf0\x9f\x98\x80"],
    ["\\xFF", "\xff"],
    ["\xe2\x80\x8d", "\xe2\x80\x8d"],
    ["\xff", "\xef\xbf\xbd"],
    ["\x01\t\x7f", "\x01\t\x7f"],
  ])("reads %j", (text, name) => {
    expect(Buffer.from(unquoteName(latin1(text)) ?? "refused")).toEqual(latin1(name));
  });

  it.each([
    ['a"b', "a bare quote"],
    ["a\nb", "a bare newline"],
    ["a\\", "a cut escape"],
    ["\\q", "an unknown escape"],
    ["\\'", "an escaped apostrophe"],
    ["\\x1", "a cut number"],
    ["\\x1g", "a number with other letters"],
    ["\\18z", "an octal number with other digits"],
    ["\\400", "an octal number above a byte"],
    ["\\ud800", "a surrogate"],
    ["\\U00110000", "a number above Unicode"],
    ["\\u 123", "a number with a blank"],
    ["\\x+1", "a number with a sign"],
  ])("refuses %j: %s", (text) => {
    expect(unquoteName(latin1(text))).toBeUndefined();
  });

  it("answers or refuses any bytes", () => {
    const backslashes = fc.array(fc.constantFrom(0x5c, 0x78, 0x75, 0x55, 0x30, 0x33, 0x66, 0xc3));
    fc.assert(
      fc.property(backslashes, (bytes) => {
        const name = unquoteName(Uint8Array.from(bytes));
        if (name !== undefined) expect(unquoteName(quoteName(name))).toEqual(name);
      }),
    );
  });
});

describe("isPrintable", () => {
  it("agrees with this Node's newer Unicode on all but the characters assigned since", () => {
    const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
    const later = new Set<number>();
    for (const range of assignedLater.split(" ")) {
      const [first, last = first] = range.split("-").map((text) => Number.parseInt(text, 16));
      for (let point = first; point <= last; point += 1) later.add(point);
    }
    const wrong: number[] = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const isSurrogate = point >= 0xd800 && point < 0xe000;
      const here = !isSurrogate && printable.test(String.fromCodePoint(point));
      if (isPrintable(point) !== (here && !later.has(point))) wrong.push(point);
    }
    expect(wrong).toEqual([]);
  });
});
