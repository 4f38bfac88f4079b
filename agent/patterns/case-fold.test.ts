import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { foldCharacter, foldName } from "./case-fold.ts";

function fold(name: string | Uint8Array): Uint8Array {
  const bytes = typeof name === "string" ? Buffer.from(name) : name;
  const target = new Uint8Array(bytes.length * 2 + 4);
  return target.slice(0, foldName(bytes, 0, bytes.length, target));
}

function text(name: string): string {
  return Buffer.from(fold(name)).toString();
}

const escaped = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`;

describe("foldCharacter", () => {
  it("groups characters as the engine's own simple case folding does", () => {
    const groups = new Map<number, string[]>();
    for (let code = 0; code < 0x110000; code++) {
      if (code >= 0xd800 && code <= 0xdfff) continue;
      const character = String.fromCodePoint(code);
      const isCased =
        character.toLowerCase() !== character ||
        character.toUpperCase() !== character ||
        foldCharacter(code) !== code;
      if (!isCased) continue;
      const folded = foldCharacter(code);
      groups.set(folded, [...(groups.get(folded) ?? []), character]);
    }
    const all = [...groups.values()].flat().join("");
    expect(groups.size).toBeGreaterThan(1300);
    for (const [folded, group] of groups) {
      const equal = all.match(new RegExp(escaped(String.fromCodePoint(folded)), "giu")) ?? [];
      const expected = group.filter((character) => character !== "İ").sort();
      if (expected.length > 0) expect(equal.sort()).toEqual(expected);
    }
  });

  it("never folds a second time", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x1100ff }), (code) => {
        expect(foldCharacter(foldCharacter(code))).toBe(foldCharacter(code));
      }),
    );
  });
});

describe("foldName", () => {
  it("makes case variants of a name equal", () => {
    expect(text("README.MD")).toBe("readme.md");
    expect(text("ÉCOLE")).toBe(text("école"));
    expect(text("ΣΊΣΥΦΟΣ")).toBe(text("Σίσυφος"));
    expect(text("STRAẞE")).toBe(text("straße"));
    expect(text("İstanbul")).toBe("istanbul");
    expect(text("ısı")).toBe("ısı");
  });

  it("keeps bytes that are not UTF-8, and fits the room it asks for", () => {
    expect(fold(Uint8Array.of(0x41, 0xff, 0xc3, 0x42))).toEqual(
      Uint8Array.of(0x61, 0xff, 0xc3, 0x62),
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const target = new Uint8Array(bytes.length * 2 + 4);
        const length = foldName(bytes, 0, bytes.length, target);
        expect(length).toBeLessThanOrEqual(target.length);
      }),
    );
    expect(fold("Ⱥ".repeat(255)).length).toBe(255 * 3);
  });
});
