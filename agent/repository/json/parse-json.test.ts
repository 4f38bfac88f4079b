import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { isJsonObject, JsonOddNumber, type JsonValue, parseJson } from "./parse-json.ts";

const limits = { file: "config", maximumBytes: 10_000_000 };
const parse = (text: string) => parseJson(Buffer.from(text, "latin1"), limits);
/** What JSON.parse would give, for values without large numbers. */
const plain = (value: JsonValue): unknown => {
  if (value instanceof JsonOddNumber) return Number(value.text);
  if (typeof value === "bigint") return Number(value);
  if (isJsonObject(value)) {
    return Object.fromEntries([...value].map(([key, member]) => [key, plain(member)]));
  }
  return Array.isArray(value) ? value.map(plain) : value;
};
const isDamage = (text: string): boolean => {
  try {
    parse(text);
  } catch (error) {
    if (isBackstayError(error, "REPOSITORY_DAMAGED")) return true;
    throw error;
  }
  return false;
};

describe("parseJson", () => {
  it("reads what JSON.parse reads", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom("", " "), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        const read = parseJson(Buffer.from(text), limits);
        expect(plain(read)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("refuses exactly what JSON.parse refuses", () => {
    const piece = fc.constantFrom(...'{}[]",: \n0123e+-.\\u'.split(""), "true", "null", '"a":');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }), (pieces) => {
        const text = pieces.join("");
        let isValid = true;
        try {
          JSON.parse(text);
        } catch {
          isValid = false;
        }
        expect(isDamage(text)).toBe(!isValid);
      }),
      { numRuns: 5_000 },
    );
  });

  it("keeps whole numbers of 64 bits and the text of all others", () => {
    expect(parse("[0,-0,-5,9007199254740991,9007199254740992,18446744073709551615]")).toEqual([
      0,
      0,
      -5,
      9007199254740991,
      9007199254740992n,
      18446744073709551615n,
    ]);
    expect(parse("[1.0,1e3]")).toEqual([new JsonOddNumber("1.0"), new JsonOddNumber("1e3")]);
    const large = "9".repeat(5_000_000);
    for (const text of ["18446744073709551616", "-18446744073709551616", large]) {
      expect(parse(text)).toEqual(new JsonOddNumber(text));
    }
  });

  it("gives no meaning to names that JavaScript knows", () => {
    const value = parse('{"__proto__":{"polluted":1},"constructor":2,"a\\u0000b":3,"x":1,"x":4}');
    expect(value).toEqual(
      new Map<string, JsonValue>([
        ["__proto__", new Map([["polluted", 1]])],
        ["constructor", 2],
        ["a\0b", 3],
        ["x", 4],
      ]),
    );
    expect("polluted" in {}).toBe(false);
  });

  it("replaces lone surrogates and bytes that are no UTF-8", () => {
    expect(parse('["\\ud800x","\\udc00","\\ud83d\\ude00","\xff"]')).toEqual([
      "\ufffdx",
      "\ufffd",
      "😀",
      "\ufffd",
    ]);
  });

  it("stops at its limits, without overflowing", () => {
    const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
    expect(isDamage(nested(64))).toBe(false);
    expect(isDamage(nested(65))).toBe(true);
    expect(isDamage(nested(1_000_000))).toBe(true);
    expect(isDamage("[".repeat(1_000_000))).toBe(true);
    expect(isDamage(`[${"1,".repeat(2_000_000)}1]`)).toBe(true);
    const short = { file: "key", maximumBytes: 3, maximumDepth: 1 };
    expect(parseJson(Buffer.from("[1]"), short)).toEqual([1]);
    expect(() => parseJson(Buffer.from("[12]"), short)).toThrow(/key.*longer/);
    expect(() => parseJson(Buffer.from("[[]"), short)).toThrow(/deep/);
  });
});
