import { describe, expect, it } from "vitest";
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import { isBackstayError } from "../../../protocol/backstay-error.ts";
import { type DirectoryScope, type MarkerProblem, verdict } from "./directory-scope.ts";
import { cacheMarker, parseMarkerRule } from "./marker.ts";
import type { SelectionRoot } from "./root-tree.ts";
import { Selection } from "./selection.ts";
import { collectExcludes, type SelectionOptions } from "./selection-options.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Facts {
  readonly mode?: number;
  readonly device?: number;
  readonly inode?: number;
  readonly sizeBytes?: number;
}

function recordOf(facts: Facts, offset = 0): Uint8Array {
  const record = new Uint8Array(offset + statRecordBytes).fill(0xee, 0, offset);
  const view = new DataView(record.buffer, offset);
  view.setUint32(statAt.mode, facts.mode ?? modeType.file, true);
  view.setBigUint64(statAt.device, BigInt(facts.device ?? 1), true);
  view.setBigUint64(statAt.inode, BigInt(facts.inode ?? 0), true);
  view.setBigUint64(statAt.size, BigInt(facts.sizeBytes ?? 0), true);
  return record;
}

const folder = (facts: Facts = {}): Uint8Array => recordOf({ mode: modeType.directory, ...facts });

function rootAt(path: string, facts: Facts = {}): SelectionRoot {
  return { path: bytes(path), record: folder(facts) };
}

const nothing: SelectionOptions = {
  patterns: [],
  markers: [],
  oneFileSystem: false,
  ownPlaces: [],
};

function scopeOf(options: Partial<SelectionOptions>, root = rootAt("/src")): DirectoryScope {
  return new Selection({ ...nothing, ...options }, [root]).root(root);
}

function enter(scope: DirectoryScope, name: string, record = folder()): DirectoryScope {
  return scope.enter(bytes(name), 0, bytes(name).length, record, 0);
}

/** The verdict of an entry whose name and record lie among others. */
function verdictOf(scope: DirectoryScope, name: string, facts: Facts = {}): number {
  const names = bytes(`before${name}after`);
  const end = names.length - 5;
  const byName = scope.verdictOfName(names, 6, end);
  const record = recordOf(facts, 8);
  const byRecord = scope.verdictOfRecord(names, 6, end, record, 8);
  expect(scope.takesEntry(names, 6, end, record, 8)).toBe(byName === 0 && byRecord === 0);
  return byName === verdict.taken ? byRecord : byName;
}

function listingOf(...names: string[]) {
  const sorted = names.map((name) => bytes(name)).sort((a, b) => Buffer.compare(a, b));
  const offsets = new Uint32Array(names.length + 1);
  for (const [index, name] of sorted.entries()) offsets[index + 1] = offsets[index] + name.length;
  return { count: names.length, names: Buffer.concat(sorted), offsets };
}

const patterns = (texts: string[], caseInsensitive = false): SelectionOptions["patterns"] =>
  texts.map((text) => ({ text, caseInsensitive }));

describe("patterns", () => {
  it("are compared with the whole path, that of the root included", () => {
    const scope = scopeOf({ patterns: patterns(["*.tmp", "/src/a/x", "src/b"]) });
    expect(verdictOf(scope, "f.tmp")).toBe(verdict.pattern);
    expect(verdictOf(scope, "b")).toBe(verdict.pattern);
    expect(verdictOf(scope, "x")).toBe(verdict.taken);
    expect(verdictOf(enter(scope, "a"), "x")).toBe(verdict.pattern);
    const inside = rootAt("/srv/cache/data");
    const selection = new Selection({ ...nothing, patterns: patterns(["cache"]) }, [inside]);
    expect(selection.verdictOfRoot(inside)).toBe(verdict.pattern);
    expect(selection.verdictOfRoot(rootAt("/srv/data"))).toBe(verdict.taken);
  });

  it("with and without case are two lists, and either leaves out", () => {
    const both = [...patterns(["*.jpg", "!keep.*"]), ...patterns(["*.JPG", "!x"], true)];
    const scope = scopeOf({ patterns: both });
    expect(verdictOf(scope, "keep.jpg")).toBe(verdict.pattern);
    const exact = scopeOf({ patterns: patterns(["*.jpg", "!keep.*"]) });
    expect(verdictOf(exact, "keep.jpg")).toBe(verdict.taken);
    expect(verdictOf(exact, "a.JPG")).toBe(verdict.taken);
    expect(verdictOf(scope, "a.JPG")).toBe(verdict.pattern);
  });

  it("that are bad stop everything, with the place where they stand", () => {
    const given = {
      excludes: [],
      caseInsensitiveExcludes: [],
      excludeFiles: [{ name: "no.txt", content: bytes("a\nb[\n") }],
      caseInsensitiveExcludeFiles: [],
      excludeCaches: false,
      excludeIfPresent: [],
    };
    const options = { ...nothing, ...collectExcludes(given, () => undefined) };
    expect(() => new Selection(options, [])).toThrow("no.txt:2");
  });

  it("come in the order in which later ones win: typed ones, then files", () => {
    const given = {
      excludes: ["*.a"],
      caseInsensitiveExcludes: ["*.B"],
      excludeFiles: [{ name: "f", content: bytes("!keep.a\n") }],
      caseInsensitiveExcludeFiles: [{ name: "g", content: bytes("!KEEP.b\n") }],
      excludeCaches: true,
      excludeIfPresent: [".nobackup"],
    };
    const options = collectExcludes(given, () => undefined);
    const scope = scopeOf(options);
    expect(verdictOf(scope, "x.a")).toBe(verdict.pattern);
    expect(verdictOf(scope, "keep.a")).toBe(verdict.taken);
    expect(verdictOf(scope, "x.b")).toBe(verdict.pattern);
    expect(verdictOf(scope, "keep.b")).toBe(verdict.taken);
    expect(options.markers).toHaveLength(2);
    expect(structuredClone(options)).toEqual(options);
  });
});

describe("sizes", () => {
  it("leave out what is larger, but never a directory", () => {
    const scope = scopeOf({ excludeLargerThanBytes: 5_000_000_000 });
    expect(verdictOf(scope, "a", { sizeBytes: 5_000_000_000 })).toBe(verdict.taken);
    expect(verdictOf(scope, "a", { sizeBytes: 5_000_000_001 })).toBe(verdict.tooLarge);
    const mode = modeType.directory;
    expect(verdictOf(scope, "a", { mode, sizeBytes: 6_000_000_000 })).toBe(verdict.taken);
    const small = new Selection({ ...nothing, excludeLargerThanBytes: 0 }, []);
    const file = { path: bytes("/f"), record: recordOf({ sizeBytes: 1 }) };
    expect(small.verdictOfRoot(file)).toBe(verdict.tooLarge);
  });
});

describe("one file system", () => {
  const mode = modeType.directory;

  it("keeps a mount point empty, and nothing else of another file system", () => {
    const scope = scopeOf({ oneFileSystem: true }, rootAt("/src", { device: 0x1_0000_0001 }));
    expect(verdictOf(scope, "f", { device: 0x1_0000_0001 })).toBe(verdict.taken);
    expect(verdictOf(scope, "f", { device: 1 })).toBe(verdict.otherFileSystem);
    expect(verdictOf(scope, "mnt", { mode, device: 1 })).toBe(verdict.taken);
    const mount = enter(scope, "mnt", folder({ device: 1 }));
    expect(mount.stops).toBe("mount-point");
    expect(mount.isOnNewDevice).toBe(true);
    expect(verdictOf(mount, "deep", { mode, device: 1 })).toBe(verdict.otherFileSystem);
    expect(enter(scope, "d", folder({ device: 0x1_0000_0001 })).stops).toBeUndefined();
  });

  it("does not stop without the option", () => {
    const mount = enter(scopeOf({}), "mnt", folder({ device: 2 }));
    expect(mount.stops).toBeUndefined();
    expect(mount.isOnNewDevice).toBe(true);
    expect(enter(mount, "d", folder({ device: 2 })).isOnNewDevice).toBe(false);
    expect(verdictOf(mount, "f", { device: 2 })).toBe(verdict.taken);
  });

  it("lets each root have its own file system, also a root inside another", () => {
    const top = rootAt("/", { device: 1 });
    const roots = [top, rootAt("/data", { device: 2 }), rootAt("/mnt/a/b", { device: 3 })];
    const scope = new Selection({ ...nothing, oneFileSystem: true }, roots).root(top);
    const data = enter(scope, "data", folder({ device: 2 }));
    expect(data.stops).toBeUndefined();
    expect(verdictOf(data, "f", { device: 2 })).toBe(verdict.taken);
    expect(verdictOf(data, "f", { device: 1 })).toBe(verdict.otherFileSystem);
    const a = enter(enter(scope, "mnt"), "a", folder({ device: 3 }));
    expect(a.stops).toBeUndefined();
    expect(verdictOf(a, "f", { device: 3 })).toBe(verdict.otherFileSystem);
    expect(verdictOf(a, "c", { mode, device: 3 })).toBe(verdict.otherFileSystem);
    expect(verdictOf(a, "b", { mode, device: 3 })).toBe(verdict.taken);
    expect(verdictOf(enter(a, "b", folder({ device: 3 })), "f", { device: 3 })).toBe(verdict.taken);
  });
});

describe("loops", () => {
  it("stop at a directory that is one of those above it", () => {
    const scope = scopeOf({}, rootAt("/src", { inode: 7 }));
    const a = enter(scope, "a", folder({ inode: 8 }));
    expect(a.stops).toBeUndefined();
    expect(enter(a, "again", folder({ inode: 7 })).stops).toBe("loop");
    expect(enter(a, "again", folder({ inode: 7, device: 2 })).stops).toBeUndefined();
  });

  it("are not seen where a file system has no inode numbers", () => {
    expect(enter(enter(scopeOf({}), "a"), "b").stops).toBeUndefined();
  });
});

describe("own places", () => {
  it("are left out by path, with all special characters in it", () => {
    const scope = scopeOf({ ownPlaces: [bytes("/src/re[p]o*"), bytes("/src/a/cache")] });
    expect(verdictOf(scope, "re[p]o*")).toBe(verdict.ownPlace);
    expect(verdictOf(scope, "repos")).toBe(verdict.taken);
    expect(verdictOf(scope, "cache")).toBe(verdict.taken);
    expect(verdictOf(enter(scope, "a"), "cache")).toBe(verdict.ownPlace);
  });

  it("are left out under any other path by what they are", () => {
    const own = folder({ device: 5, inode: 99 });
    const options = { ...nothing, ownPlaceRecords: [own] };
    const scope = scopeOf(options);
    const mode = modeType.directory;
    expect(verdictOf(scope, "bound", { mode, device: 5, inode: 99 })).toBe(verdict.ownPlace);
    expect(verdictOf(scope, "bound", { mode, device: 5, inode: 98 })).toBe(verdict.taken);
    expect(verdictOf(scope, "file", { device: 5, inode: 99 })).toBe(verdict.taken);
    const root = { path: bytes("/other"), record: own };
    expect(new Selection(options, [root]).verdictOfRoot(root)).toBe(verdict.ownPlace);
  });

  it("leave out a root that lies in one", () => {
    const root = rootAt("/repo/data");
    const selection = new Selection({ ...nothing, ownPlaces: [bytes("/repo")] }, [root]);
    expect(selection.verdictOfRoot(root)).toBe(verdict.ownPlace);
  });

  it("must be absolute paths: another would leave out everything or nothing", () => {
    for (const path of ["", "/", "repo"]) {
      const make = (): Selection => new Selection({ ...nothing, ownPlaces: [bytes(path)] }, []);
      expect(make).toThrow(expect.toSatisfy((error) => isBackstayError(error, "INTERNAL")));
    }
  });
});

describe("markers", () => {
  const never = (): undefined => expect.fail("read a header");
  const rules = (...texts: string[]) => texts.map((text) => parseMarkerRule(text));

  it("leave out all but themselves", () => {
    const scope = scopeOf({ markers: rules(".nobackup") });
    expect(scope.isMarkedOut(listingOf("a", ".nobackup", "z"), never)).toBe(true);
    expect(verdictOf(scope, "a")).toBe(verdict.marker);
    expect(verdictOf(scope, ".nobackup")).toBe(verdict.taken);
    expect(verdictOf(scope, ".nobackup2")).toBe(verdict.marker);
  });

  it("do nothing in a directory without them", () => {
    const scope = scopeOf({ markers: rules("m") });
    for (const listing of [listingOf(), listingOf("l", "n"), listingOf("mm")]) {
      expect(scope.isMarkedOut(listing, never)).toBe(false);
    }
    expect(verdictOf(scope, "a")).toBe(verdict.taken);
    expect(scope.isMarkedOut(listingOf("a", "b", "m", "x", "y"), never)).toBe(true);
  });

  it("of two names leave out each other too", () => {
    const scope = scopeOf({ markers: rules("A", "B", "B") });
    expect(scope.isMarkedOut(listingOf("A", "B"), never)).toBe(true);
    expect(verdictOf(scope, "A")).toBe(verdict.marker);
    expect(verdictOf(scope, "B")).toBe(verdict.marker);
    const twice = scopeOf({ markers: rules("B", "B") });
    twice.isMarkedOut(listingOf("A", "B"), never);
    expect(verdictOf(twice, "B")).toBe(verdict.taken);
  });

  it("need their header where one is asked for", () => {
    const listing = listingOf("CACHEDIR.TAG", "a");
    const signature = bytes("Signature: 8a477f597d28d172789f06886806bc55");
    expect(signature.length).toBe(43);
    const problems: MarkerProblem[] = [];
    const marks = (content: Uint8Array | undefined): boolean =>
      scopeOf({ markers: [cacheMarker] }).isMarkedOut(
        listing,
        (_name, lengthBytes) => content?.subarray(0, lengthBytes),
        (_name, problem) => problems.push(problem),
      );
    expect(marks(signature)).toBe(true);
    expect(marks(Buffer.concat([signature, bytes("\n# more")]))).toBe(true);
    expect(problems).toEqual([]);
    expect(marks(signature.subarray(0, 42))).toBe(false);
    expect(marks(bytes(""))).toBe(false);
    expect(marks(undefined)).toBe(false);
    expect(problems).toEqual(["other-header", "other-header", "unreadable"]);
  });

  it("do not save the marker from other rules", () => {
    const scope = scopeOf({ markers: rules("m"), patterns: patterns(["m"]) });
    scope.isMarkedOut(listingOf("m"), never);
    expect(verdictOf(scope, "m")).toBe(verdict.pattern);
  });

  it.each(["", ":x", "a/b", ".", "..:x", "a\0b", "\ufffd"])("refuse the name in %j", (text) => {
    expect(() => parseMarkerRule(text)).toThrow("--exclude-if-present");
  });

  it("take what follows the first colon as the header", () => {
    expect(parseMarkerRule("a:b:c")).toEqual({ name: bytes("a"), header: bytes("b:c") });
    expect(parseMarkerRule("a:").header).toHaveLength(0);
  });
});

describe("masks", () => {
  const masks = (...texts: readonly string[]): Partial<SelectionOptions> => ({
    includeMasks: texts.map((text) => ({ text, caseInsensitive: true })),
  });

  it("leave out what is no directory and matches none of them", () => {
    const scope = scopeOf(masks("*.jpg", "/src/Papers/**/*.pdf", "!private*"));
    expect(verdictOf(scope, "a.JPG")).toBe(verdict.taken);
    expect(verdictOf(scope, "a.txt")).toBe(verdict.mask);
    expect(verdictOf(scope, "a.txt", { mode: modeType.symlink })).toBe(verdict.mask);
    expect(verdictOf(scope, "private.jpg")).toBe(verdict.mask);
    expect(verdictOf(scope, "folder", { mode: modeType.directory })).toBe(verdict.taken);
    expect(verdictOf(scope, "a.pdf")).toBe(verdict.mask);
    const papers = enter(enter(scope, "papers"), "deep");
    expect(verdictOf(papers, "a.pdf")).toBe(verdict.taken);
    expect(verdictOf(papers, "b.jpg")).toBe(verdict.taken);
    expect(verdictOf(papers, "c.odt")).toBe(verdict.mask);
  });

  it("take everything below a folder that they match", () => {
    const scope = scopeOf(masks("Photos"));
    expect(verdictOf(enter(scope, "photos"), "a.txt")).toBe(verdict.taken);
    expect(verdictOf(enter(scope, "texts"), "a.txt")).toBe(verdict.mask);
  });

  it("never bring back what is excluded", () => {
    const patterns = [{ text: "*.jpg", caseInsensitive: false }];
    expect(verdictOf(scopeOf({ ...masks("*"), patterns }), "a.jpg")).toBe(verdict.pattern);
  });

  it("leave every file out if they match none, however few they are", () => {
    for (const options of [masks(), masks("!x")])
      expect(verdictOf(scopeOf(options), "a")).toBe(verdict.mask);
  });
});
