import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import {
  expandPathPattern,
  type PathLister,
  parseFilesFrom,
  parseFilesFromRaw,
  parseFilesFromVerbatim,
} from "./files-from.ts";

const file = (content: string | Uint8Array) => ({
  name: "list.txt",
  content: typeof content === "string" ? Buffer.from(content) : content,
});
const latin = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

/** A file system of these absolute paths, with `/w` as the working directory. */
function listerOf(...paths: string[]): PathLister {
  const absolute = (path: Uint8Array): string => {
    const parts = (path[0] === 0x2f ? latin(path) : `/w/${latin(path)}`).split("/");
    return `/${parts.filter((part) => part !== "" && part !== ".").join("/")}`;
  };
  return {
    exists: (path) =>
      paths.some((each) =>
        `${each}/`.startsWith(absolute(path) === "/" ? "/" : `${absolute(path)}/`),
      ),
    names: (directory) => {
      const prefix = absolute(directory) === "/" ? "/" : `${absolute(directory)}/`;
      const below = paths.filter((path) => path.startsWith(prefix));
      const names = new Set(below.map((path) => path.slice(prefix.length).split("/")[0]));
      return [...names].sort().map((name) => Buffer.from(name, "latin1"));
    },
  };
}

function expand(line: string | Uint8Array, ...paths: string[]): string[] {
  const [pattern] = parseFilesFrom(file(line));
  return [...expandPathPattern(pattern, listerOf(...paths))].map(latin);
}

describe("parseFilesFrom", () => {
  it("takes a pattern a line, without comments, empty lines and white space around", () => {
    const patterns = parseFilesFrom(file("# home\n /srv/a b \r\n\n*.c\n"));
    expect(patterns.map(({ text, origin }) => [latin(text), origin])).toEqual([
      ["/srv/a b", "list.txt:2"],
      ["*.c", "list.txt:4"],
    ]);
  });

  it.each(["a/[b", "a\\", "a\0b"])("refuses %j and names the line", (line) => {
    expect(() => parseFilesFrom(file(`x\n${line}`))).toThrow("list.txt:2");
  });
});

describe("expandPathPattern", () => {
  const tree = [
    "/w/a.c",
    "/w/b.c",
    "/w/.h.c",
    "/w/sub/c.c",
    "/srv/x/1/log",
    "/srv/y/1/log",
    "/srv/z/2",
  ];

  it("gives a path without wildcards as it is, if it exists", () => {
    expect(expand("a.c", ...tree)).toEqual(["a.c"]);
    expect(expand("/srv//x/1/", ...tree)).toEqual(["/srv/x/1"]);
    expect(expand("./sub/../a.c", "/w/sub/../a.c")).toEqual(["./sub/../a.c"]);
    expect(expand("/", ...tree)).toEqual(["/"]);
    expect(expand("gone", ...tree)).toEqual([]);
  });

  it("finds all that match, in the order of their names, dot files too", () => {
    expect(expand("*.c", ...tree)).toEqual([".h.c", "a.c", "b.c"]);
    expect(expand("/srv/*/1/log", ...tree)).toEqual(["/srv/x/1/log", "/srv/y/1/log"]);
    expect(expand("/srv/[xz]/?", ...tree)).toEqual(["/srv/x/1", "/srv/z/2"]);
    expect(expand("/nothing/*", ...tree)).toEqual([]);
  });

  it("takes a backslash as an escape, and any bytes as names", () => {
    expect(expand("a\\*.c", "/w/a*.c", "/w/ab.c")).toEqual(["a*.c"]);
    expect(expand("?.c", "/w/\xe9.c")).toEqual(["\xe9.c"]);
  });
});

describe("parseFilesFromVerbatim", () => {
  it("takes every line as it is", () => {
    const paths = parseFilesFromVerbatim(file("# a\n\n *.c \r\nb"));
    expect(paths.map(latin)).toEqual(["# a", " *.c ", "b"]);
  });

  it("refuses a NUL, which belongs to the raw form", () => {
    expect(() => parseFilesFromVerbatim(file("a\0b\0"))).toThrow("--files-from-raw");
  });
});

describe("parseFilesFromRaw", () => {
  it("gives back any paths that were written, byte for byte", () => {
    const path = fc.uint8Array({ min: 1, minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(fc.array(path), (paths) => {
        const content = Uint8Array.from(paths.flatMap((each) => [...each, 0]));
        expect(parseFilesFromRaw(file(content)).map(latin)).toEqual(paths.map(latin));
      }),
    );
  });

  it.each(["a\0b", "a\0\0b\0", "\0"])("refuses %j", (content) => {
    try {
      parseFilesFromRaw(file(content));
    } catch (error) {
      expect(isBackstayError(error, "USAGE")).toBe(true);
      return;
    }
    expect.fail("no error");
  });
});
