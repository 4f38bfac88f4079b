import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compilePatterns, type PatternScope, type PatternSet } from "./pattern-set.ts";
import { type ReferencePattern, referencePathMatch } from "./reference-matcher.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function setOf(...texts: string[]): PatternSet {
  return compilePatterns(texts.map((text) => ({ text, caseInsensitive: false })));
}

function matches(path: string, ...texts: string[]): boolean {
  return setOf(...texts).matches(bytes(path));
}

/** A path as a walk meets it: the scopes of its directories, then its last name as an entry. */
function walk(
  set: PatternSet,
  path: readonly Uint8Array[],
): { entry: boolean; above: PatternScope } {
  let above = set.root;
  for (const name of path.slice(0, -1)) above = above.enter(name, 0, name.length);
  const last = path[path.length - 1];
  return { entry: above.matchesEntry(last, 0, last.length), above };
}

describe("compilePatterns", () => {
  it.each([
    ["foo", "/dir1/foo/dir2/file", true],
    ["foo", "/dir/foo", true],
    ["foo", "/dir/foobar", false],
    ["/bin", "/bin/bash", true],
    ["/bin", "/usr/bin/restic", false],
    ["b*ash", "/bin/bash", true],
    ["b*ash", "/bin/ash", false],
    ["foo/**/bar", "/dir1/foo/dir2/bar/file", true],
    ["foo/**/bar", "/foo/bar/file", true],
    ["foo/**/bar", "/tmp/foo/bar", true],
    ["foo/**/bar", "/tmp/foo/x/y/z/bar", true],
    ["foo/**/bar", "/tmp/bar/foo", false],
    ["foo/bar", "/x/foo/bar", true],
    ["foo/bar", "/x/foo/y/bar", false],
    ["foo/bar", "/x/foo/foo/bar", true],
    ["/home/*/.cache", "/home/ann/.cache/x", true],
    ["/home/*/.cache", "/home/.cache", false],
    ["/home/**/.cache", "/home/.cache", true],
    ["foo/**", "/x/foo", true],
    ["**", "/x", true],
    ["/", "/x", true],
    ["a/**/b/**/c", "/a/b/c", true],
    ["a/**/b/**/c", "/a/c/b", false],
  ])("%s and %s: %s", (pattern, path, expected) => {
    expect(matches(path, pattern)).toBe(expected);
  });

  it("lets the last pattern that matches decide", () => {
    expect(matches("/a/x.tmp", "*.tmp", "!x.tmp")).toBe(false);
    expect(matches("/a/x.tmp", "!x.tmp", "*.tmp")).toBe(true);
    expect(matches("/a/x.tmp", "*.tmp", "!a", "/a/x*")).toBe(true);
    expect(matches("/home/ann/Documents/a", "/home/ann/*", "!/home/ann/Documents")).toBe(false);
    expect(matches("/home/ann/Music/a", "/home/ann/*", "!/home/ann/Documents")).toBe(true);
  });

  it("takes a match of a directory above as a match, also to take one back", () => {
    expect(matches("/x/keep/deep/a.tmp", "*.tmp", "!keep")).toBe(false);
    expect(matches("/x/drop/deep/a", "drop", "!a.tmp")).toBe(true);
  });

  it("mixes patterns with and without case", () => {
    const set = compilePatterns([
      { text: "*.jpg", caseInsensitive: true },
      { text: "KEEP/x", caseInsensitive: false },
    ]);
    expect(set.matches(bytes("/a/B.JPG"))).toBe(true);
    expect(set.matches(bytes("/KEEP/x"))).toBe(true);
    expect(set.matches(bytes("/keep/x"))).toBe(false);
  });

  it("never matches anything with an empty list", () => {
    const set = setOf("", "");
    expect(set.isEmpty).toBe(true);
    expect(set.matches(bytes("/a"))).toBe(false);
    expect(set.root.childMayMatch).toBe(false);
  });

  it("shares one scope among directories in which no pattern is under way", () => {
    const root = setOf("*.tmp", "/home/ann/.cache", "a/b").root;
    const name = bytes("usr");
    const usr = root.enter(name, 0, name.length);
    expect(usr.enter(name, 0, name.length)).toBe(usr);
    const a = bytes("a");
    expect(usr.enter(a, 0, 1)).toBe(usr.enter(a, 0, 1).enter(a, 0, 1));
  });

  it("finds each of thousands of names and paths", () => {
    const names = Array.from({ length: 5000 }, (_, index) => `name-${index}`);
    const set = setOf(...names, ...names.map((name) => `/deep/${name}/end`));
    for (const name of names) {
      expect(set.matches(bytes(`/x/${name}`))).toBe(true);
      expect(set.matches(bytes(`/x/${name}0000`))).toBe(false);
      expect(set.matches(bytes(`/deep/x${name}/end`))).toBe(false);
    }
  });
});

const part = fc.constantFrom("a", "b", "ab", "A", "*", "?", "a*", "*b", "[ab]", "**", "**");
const pattern: fc.Arbitrary<ReferencePattern> = fc.record({
  text: fc
    .tuple(
      fc.constantFrom("", "", "!"),
      fc.constantFrom("", "", "/"),
      fc.array(part, { minLength: 1, maxLength: 5 }),
    )
    .map(([mark, anchor, parts]) => `${mark}${anchor}${parts.join("/")}`),
  caseInsensitive: fc.boolean(),
});
const path = fc.array(
  fc.constantFrom("a", "b", "ab", "A", "B", "aab").map((name) => bytes(name)),
  { minLength: 1, maxLength: 6 },
);

describe("a set on a walk", () => {
  it("agrees with a slow matcher of whole paths", () => {
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 6 }),
        fc.array(path, { minLength: 1, maxLength: 8 }),
        (patterns, paths) => {
          const set = compilePatterns(patterns);
          for (const each of paths) {
            const expected = referencePathMatch(patterns, each);
            expect(walk(set, each).entry).toBe(expected);
            expect(
              set.matches(
                Buffer.from(`/${each.map((name) => Buffer.from(name).toString()).join("/")}`),
              ),
            ).toBe(expected);
          }
        },
      ),
      { numRuns: 1200 },
    );
  });

  it("says that nothing below may match only where nothing does", () => {
    fc.assert(
      fc.property(fc.array(pattern, { maxLength: 5 }), path, path, (patterns, above, below) => {
        const set = compilePatterns(patterns);
        const whole = [...above, ...below];
        let scope = set.root;
        for (const name of above) scope = scope.enter(name, 0, name.length);
        if (!scope.childMayMatch) expect(walk(set, whole).entry).toBe(false);
      }),
      { numRuns: 1200 },
    );
  });

  it("says for anchored patterns which directories lead to a match", () => {
    const set = setOf("/home/*/src/**/x");
    const leads = (directory: string) => set.scopeOf(bytes(directory)).childMayMatch;
    expect(leads("/")).toBe(true);
    expect(leads("/home/ann")).toBe(true);
    expect(leads("/home/ann/src/a/b")).toBe(true);
    expect(leads("/home/ann/docs")).toBe(false);
    expect(leads("/var")).toBe(false);
    expect(leads("/home/ann/src/a/x/below")).toBe(true);
  });

  it("stays small on patterns made of wildcards", () => {
    const text = `${"**/*/".repeat(60)}x`;
    const set = setOf(text, `a/${"*/".repeat(200)}b`, `/${"a/**/".repeat(60)}b`);
    const a = bytes("a");
    let scope = set.root;
    for (let depth = 0; depth < 2000; depth++) scope = scope.enter(a, 0, 1);
    expect(scope.matchesEntry(a, 0, 1)).toBe(false);
    expect(scope.matchesEntry(bytes("x"), 0, 1)).toBe(true);
    expect(scope.matchesEntry(bytes("b"), 0, 1)).toBe(true);
    expect(scope.enter(a, 0, 1)).toBe(scope);
  });
});
