import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldName } from "./case-fold.ts";
import { compileNamePattern, matchesName, PatternSyntaxError } from "./name-pattern.ts";
import { charactersOf, referenceNameMatch } from "./reference-matcher.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function matches(pattern: string | Uint8Array, name: string | Uint8Array): boolean {
  const compiled = compileNamePattern(
    typeof pattern === "string" ? bytes(pattern) : pattern,
    false,
  );
  const raw = typeof name === "string" ? bytes(name) : name;
  const around = Uint8Array.from([0x78, ...raw, 0x79]);
  return matchesName(compiled, around, 1, raw.length + 1);
}

function matchesFolded(pattern: string, name: string): boolean {
  const folded = new Uint8Array(name.length * 8 + 4);
  const length = foldName(bytes(name), 0, bytes(name).length, folded);
  return matchesName(compileNamePattern(bytes(pattern), true), folded, 0, length);
}

/** Every access to an element is counted; nothing else changes. */
function counted(name: Uint8Array, count: { steps: number }): Uint8Array {
  return new Proxy(name, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) count.steps++;
      return Reflect.get(target, key) as unknown;
    },
  });
}

describe("matchesName", () => {
  it.each([
    ["a", "a", true],
    ["a", "ab", false],
    ["*", "anything", true],
    ["**", "anything", true],
    ["*.tmp", "a.tmp", true],
    ["*.tmp", ".tmp", true],
    ["*.tmp", "a.tmpx", false],
    ["~*", "~lock", true],
    ["~*", "a~", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "aXbY", false],
    ["*a*", "bab", true],
    ["?", "é", true],
    ["??", "é", false],
    ["*[^é]", "é", false],
    ["[a-c]x", "bx", true],
    ["[a-c]x", "dx", false],
    ["[!a-c]x", "dx", true],
    ["[^a-c]x", "ax", false],
    ["[[*?]", "*", true],
    ["[a\\-z]", "-", true],
    ["[a\\-z]", "m", false],
    ["[\\]]", "]", true],
    ["]", "]", true],
    ["a]*", "a]b", true],
    ["\\*", "*", true],
    ["\\*", "x", false],
    ["\\!x", "!x", true],
    ["[α-ω]", "λ", true],
    ["[z-a]", "m", false],
  ])("%s and %s: %s", (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it("ignores case with folded names", () => {
    expect(matchesFolded("*.JPG", "Photo.jpg")).toBe(true);
    expect(matchesFolded("É[A-C]?", "éBx")).toBe(true);
    expect(matchesFolded("*.JPG", "Photo.jpeg")).toBe(false);
  });

  it("takes a byte that is not UTF-8 as one character, and compares it as such", () => {
    const latin = Uint8Array.of(0x63, 0x61, 0x66, 0xe9);
    expect(matches("caf?", latin)).toBe(true);
    expect(matches("caf??", latin)).toBe(false);
    expect(matches("caf[!x]", latin)).toBe(true);
    expect(matches(latin, latin)).toBe(true);
    expect(matches(Uint8Array.of(0x2a, 0xa9), "é")).toBe(false);
    expect(matches(Uint8Array.of(0xc3, 0x2a), "é")).toBe(false);
  });

  it("agrees with a slow matcher on any pattern and name", () => {
    const alphabet = fc.constantFrom("a", "b", "é", "\\*", "*", "*", "?", "[ab]", "[!aé]", "[a-é]");
    const pattern = fc.array(alphabet, { minLength: 1, maxLength: 8 }).map((all) => all.join(""));
    const name = fc
      .array(fc.constantFrom([0x61], [0x62], [0xc3, 0xa9], [0xc3], [0xa9], [0x2a], [0xff]), {
        minLength: 1,
        maxLength: 10,
      })
      .map((parts) => Uint8Array.from(parts.flat()));
    fc.assert(
      fc.property(pattern, name, (text, raw) => {
        expect(matches(text, raw)).toBe(referenceNameMatch(text, charactersOf(raw)));
      }),
      { numRuns: 5000 },
    );
  });

  it("needs no more steps than name times pattern, however the pattern is made", () => {
    for (const [pattern, name] of [
      [`${"a*".repeat(1000)}b`, "a".repeat(255)],
      [`${"*a".repeat(1000)}b`, "a".repeat(255)],
      [`*${"a".repeat(120)}b`, "a".repeat(255)],
      [`*${"?".repeat(120)}b*c`, "é".repeat(127)],
      [`${"*[a-c]".repeat(50)}x*`, "abc".repeat(85)],
    ]) {
      const compiled = compileNamePattern(bytes(pattern), false);
      const raw = bytes(name);
      const count = { steps: 0 };
      expect(matchesName(compiled, counted(raw, count), 0, raw.length)).toBe(false);
      expect(count.steps).toBeGreaterThan(0);
      const bytesOfCharacter = 3;
      expect(count.steps).toBeLessThanOrEqual(bytesOfCharacter * raw.length * (pattern.length + 1));
    }
  });

  it("retries only the last run: hundreds of runs cost no more than one", () => {
    const steps = [1, 10, 120].map((runs) => {
      const count = { steps: 0 };
      const name = bytes("a".repeat(255));
      const compiled = compileNamePattern(bytes(`${"a*".repeat(runs)}b`), false);
      matchesName(compiled, counted(name, count), 0, name.length);
      return count.steps;
    });
    for (const each of steps) expect(each).toBeLessThanOrEqual(3 * 255);
  });
});

describe("compileNamePattern", () => {
  it.each(["[", "[]", "[]a]", "[a", "[a-", "[a-]", "[-a]", "[!]", "[^", "a\\", "[a\\", "[a-\\"])(
    "refuses %s",
    (pattern) => {
      expect(() => compileNamePattern(bytes(pattern), false)).toThrow(PatternSyntaxError);
    },
  );

  it("throws nothing but syntax errors, and matches without throwing, on any bytes", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        fc.uint8Array({ minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (pattern, name, folded) => {
          try {
            matchesName(compileNamePattern(pattern, folded), name, 0, name.length);
          } catch (error) {
            expect(error).toBeInstanceOf(PatternSyntaxError);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("knows which patterns need only a comparison of bytes", () => {
    const kind = (text: string) => compileNamePattern(bytes(text), false).kind;
    expect(kind("node_modules")).toBe("literal");
    expect(kind("a\\*b")).toBe("literal");
    expect(kind("*.é")).toBe("suffix");
    expect(kind("~$*")).toBe("prefix");
    expect(kind("**")).toBe("any");
    expect(kind("*a*")).toBe("general");
    expect(kind("?")).toBe("general");
  });
});
