import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compactGoJson, goJsonString, goStringExpansion, writeGoString } from "./go-string.ts";

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("utf8");
const ofBytes = (source: Uint8Array) => {
  const target = new Uint8Array(source.length * goStringExpansion);
  return text(target.subarray(0, writeGoString(target, 0, source, 0, source.length)));
};

describe("goJsonString", () => {
  it.each([
    ['a"b\\c/d', '"a\\"b\\\\c/d"'],
    ["\b\f\n\r\t", '"\\b\\f\\n\\r\\t"'],
    ["\x00\x01\x1f\x7f", '"\\u0000\\u0001\\u001f\x7f"'],
    ["<a>&'", '"\\u003ca\\u003e\\u0026\'"'],
    ["\u2027\u2028\u2029\u202a", '"\u2027\\u2028\\u2029\u202a"'],
    ["é日😀\ufffd", '"é日😀\ufffd"'],
    ["\ud800", '"\ufffd"'],
  ])("writes %j as Go does", (plain, json) => {
    expect(text(goJsonString(plain))).toBe(json);
  });

  it("writes JSON that reads back as the same text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (plain) => {
        expect(JSON.parse(text(goJsonString(plain)))).toBe(plain);
      }),
    );
  });
});

describe("writeGoString", () => {
  it("writes one replacement for each byte that is not UTF-8", () => {
    expect(ofBytes(Buffer.from("a\xff\xc3(\xe2\x82\xed\xa0\x80", "latin1"))).toBe(
      "a\\ufffd\\ufffd(\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd",
    );
  });
});

describe("compactGoJson", () => {
  const compact = (source: string) =>
    text(compactGoJson(Buffer.from(source), 0, Buffer.byteLength(source)));

  it("drops white space outside of strings only, and escapes for HTML", () => {
    expect(compact(' { "a b" : [ 1 , "\\" <\u2028>" ] ,\n"c"\t: null } ')).toBe(
      '{"a b":[1,"\\" \\u003c\\u2028\\u003e"],"c":null}',
    );
  });

  it("keeps the value, and leaves what is compact as it is", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("", " ", "\t"), (value, indent) => {
        const once = compact(JSON.stringify(value, undefined, indent));
        expect(JSON.parse(once)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(compact(once)).toBe(once);
      }),
    );
  });
});
