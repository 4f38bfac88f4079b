import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { anyDirectories, parsePattern, patternLimits, patternOfPath } from "./pattern.ts";
import { compilePatterns } from "./pattern-set.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The pattern in one word: its marks and its parts. */
function shape(text: string): string | undefined {
  const pattern = parsePattern({ text, caseInsensitive: false });
  if (pattern === undefined) return undefined;
  const parts = pattern.parts.map((part) => {
    if (part === anyDirectories) return "**";
    return part.kind === "any" ? "*" : Buffer.from(part.literal).toString();
  });
  return `${pattern.negated ? "!" : ""}${pattern.anchored ? "/" : ""}${parts.join("/")}`;
}

function errorOf(text: string | Uint8Array, origin?: string): BackstayError {
  try {
    parsePattern({ text, caseInsensitive: false, ...(origin === undefined ? {} : { origin }) });
  } catch (error) {
    if (error instanceof BackstayError) return error;
  }
  return expect.fail("no error");
}

describe("parsePattern", () => {
  it.each([
    ["foo", "foo"],
    ["/foo/bar/", "/foo/bar"],
    ["!foo//bar", "!foo/bar"],
    ["./foo/./bar", "foo/bar"],
    ["foo/../bar", "bar"],
    ["/../foo", "/foo"],
    ["foo/**", "foo"],
    ["foo/**/**", "foo"],
    ["foo/**/**/bar", "foo/**/bar"],
    ["**/foo", "foo"],
    ["/**/foo", "foo"],
    ["/foo/**/bar", "/foo/**/bar"],
    ["**", "*"],
    ["/", "*"],
    ["/**", "*"],
    ["!/", "!*"],
    ["\\!foo", "!foo"],
    ["#foo", "#foo"],
  ])("takes %s as %s", (text, expected) => {
    expect(shape(text)).toBe(expected);
  });

  it("ignores an empty pattern", () => {
    expect(shape("")).toBeUndefined();
  });

  it("names the pattern, its place and what is wrong", () => {
    const error = errorOf("a/[b", "excludes.txt:7");
    expect(error.code).toBe("USAGE");
    expect(error.message).toContain("a/[b");
    expect(error.message).toContain("excludes.txt:7");
    expect(error.message).toContain("`[` without its `]`");
  });

  it.each(["../foo", "foo/../../bar", ".", "!", "./", "a\\/b", "x\0y", "caf\ufffd", "caf\ud800"])(
    "refuses %j, which could never match",
    (text) => {
      expect(errorOf(text).code).toBe("USAGE");
    },
  );

  it("bounds length and `**`", () => {
    expect(shape("a".repeat(patternLimits.textBytes))).toBeDefined();
    expect(errorOf("a".repeat(patternLimits.textBytes + 1)).message).toContain("longer");
    expect(shape("a/**/".repeat(patternLimits.anyDirectories).concat("b"))).toBeDefined();
    expect(errorOf("a/**/".repeat(patternLimits.anyDirectories + 1).concat("b")).message).toContain(
      "more than",
    );
  });

  it("throws nothing but USAGE on any bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (text, caseInsensitive) => {
        try {
          parsePattern({ text, caseInsensitive });
        } catch (error) {
          expect(isBackstayError(error, "USAGE")).toBe(true);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("patternOfPath", () => {
  it("matches that path alone, whatever its name", () => {
    const name = fc
      .uint8Array({ min: 1, minLength: 1, maxLength: 12 })
      .map((each) => each.map((byte) => (byte === 0x2f ? 0x2a : byte)))
      .filter((each) => each.some((byte) => byte !== 0x2e));
    fc.assert(
      fc.property(name, name, (wanted, other) => {
        const path = Uint8Array.from([...bytes("/srv/"), ...wanted]);
        const set = compilePatterns([{ text: patternOfPath(path), caseInsensitive: false }]);
        expect(set.matches(path)).toBe(true);
        expect(set.matches(Uint8Array.from([...bytes("/x/srv/"), ...wanted]))).toBe(false);
        const isSame = Buffer.compare(wanted, other) === 0;
        expect(set.matches(Uint8Array.from([...bytes("/srv/"), ...other]))).toBe(isSame);
      }),
      { numRuns: 1000 },
    );
  });
});
