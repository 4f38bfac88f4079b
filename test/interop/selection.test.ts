/** What we select for a backup is what restic saves with the same options. */
import { execFileSync } from "node:child_process";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DirectoryScope } from "../../agent/backup/select/directory-scope.ts";
import { Selection } from "../../agent/backup/select/selection.ts";
import { collectExcludes } from "../../agent/backup/select/selection-options.ts";
import { parseSize } from "../../agent/cli/size-argument.ts";
import { Repository } from "../../agent/repository/repository.ts";
import { openSourceFiles } from "../../platform/open-source-files.ts";
import type { SourceDirectory } from "../../platform/ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "../../platform/ports/stat-record.ts";
import { openStore } from "../../storage/open-store.ts";
import { describeWithPeers } from "../peers.ts";

interface Given {
  readonly excludes?: readonly string[];
  readonly iexcludes?: readonly string[];
  /** Contents of files of patterns. */
  readonly excludeFiles?: readonly Uint8Array[];
  readonly iexcludeFiles?: readonly Uint8Array[];
  readonly ifPresent?: readonly string[];
  readonly caches?: boolean;
  readonly largerThan?: string;
  readonly oneFileSystem?: boolean;
}

const folder = mkdtempSync(path.join(tmpdir(), "selection-"));
const source = path.join(folder, "src");
const repository = path.join(folder, "repo");
const environment: Record<string, string> = { SELECTED: source, EMPTY: "", WORD: "bar" };
const signature = "Signature: 8a477f597d28d172789f06886806bc55";

const tree: Readonly<Record<string, string>> = {
  "a.tmp": "1",
  "A.TMP": "1",
  "b.txt": "1",
  "bar/b.txt": "1",
  "Éa.JPG": "1",
  "éb.jpg": "1",
  "[x].txt": "1",
  "star*.txt": "1",
  "~$doc.docx": "1",
  "sp ace": "1",
  "!bang": "1",
  "#hash": "1",
  "tail.": "1",
  ".hidden/x": "1",
  "foo/bar/f1": "1",
  "foo/x/y/bar/f2": "1",
  "foo/x/baz": "1",
  "foo/keep/a.tmp": "1",
  "foo/keep/deep/b.tmp": "1",
  "deep/foo/bar/file": "1",
  "deep/foo/other": "1",
  "deep/FOO/bar": "1",
  "node_modules/p/i.js": "1",
  "pkg/node_modules/q": "1",
  "pkg/src/node_modules.js": "1",
  "Documents/a": "1",
  "Music/a": "1",
  "core.1": "1",
  "core.x": "1",
  "cache1/CACHEDIR.TAG": signature,
  "cache1/data/x": "1",
  "cache2/CACHEDIR.TAG": "Signature: 8a477f597d28d172789f06886806bc56",
  "cache2/data/x": "1",
  "cache3/CACHEDIR.TAG": "Sig",
  "cache3/x": "1",
  "cache4/CACHEDIR.TAG/x": "1",
  "cache4/y": "1",
  "cache5/sub/CACHEDIR.TAG": `${signature}\nmore`,
  "cache5/sub/y": "1",
  "cache5/y": "1",
  "marked/.nobackup": "",
  "marked/sub/x": "1",
  "both/A": "yes",
  "both/B": "yes",
  "both/z": "1",
  "onlyA/A": "yes and more",
  "onlyA/z": "1",
  "git/.git/x": "1",
  "git/y": "1",
  "empty-file": "",
  "size-10": "x".repeat(10),
  "size-1024": "x".repeat(1024),
  "size-1025": "x".repeat(1025),
};

const cases: Readonly<Record<string, Given>> = {
  nothing: {},
  "names, suffixes and prefixes": {
    excludes: ["*.tmp", "node_modules", "~$*", "core.[0-9]", "sp ace", ".*"],
  },
  "anchored paths, with and without wildcards": {
    excludes: [`${source}/foo/bar`, `${source}/*/foo`, "/bar", `${path.dirname(source)}/*/Music/`],
  },
  "relative paths of several components": { excludes: ["foo/bar", "x/y", "p*/node_modules/q"] },
  "directories between": { excludes: ["foo/**/bar", `${source}/**/other`, "**/i.js", "keep/**"] },
  "everything but": { excludes: [`${source}/*`, `!${source}/Documents`, `!${source}/foo`, "x"] },
  "the last that matches wins, also from above": {
    excludes: ["*.tmp", "!keep", "deep", "!file", "!b.txt", "b.txt", "!nothing"],
  },
  "a directory that is left out does not come back": { excludes: ["foo", "!foo/bar"] },
  "classes, escapes and question marks": {
    excludes: [
      "\\[x\\].txt",
      "star\\*.txt",
      "[a-c].t?t",
      "[^a-zA-Z.!#\\[\\]~é]*",
      "core.[^0-9]",
      "??b.jpg",
    ],
  },
  "marks that mean nothing at other places": {
    excludes: ["\\!bang", "#hash", "tail.", "", "a.tmp/"],
  },
  "untidy paths": { excludes: ["./foo//x/", `${source}/deep/../Music/.`, "bar/../Documents"] },
  "bytes that are not UTF-8": {
    excludes: ["caf?.txt"],
    excludeFiles: [Buffer.from("raw-\xff*", "latin1")],
  },
  "without case": {
    iexcludes: ["*.TMP", "ÉA.jpg", "FOO/BAR", "[D]ocuments", `${source.toUpperCase()}/music`],
  },
  "with and without case at once": {
    excludes: ["*.tmp", "!a.tmp", "Documents"],
    iexcludes: ["a.tmp", "!DOCUMENTS", "!foo"],
  },
  "files of patterns": {
    excludes: ["Music"],
    excludeFiles: [
      Buffer.from("\ufeff# comment\r\n\r\n  *.tmp \r\n$SELECTED/foo/x\r\n!Music\r\n~$$*\r\n"),
      Buffer.from("\ufefffoo/$WORD\n$\u007bSELECTED}/pkg\n$EMPTY\n\u00a0sp ace\t", "utf16le"),
    ],
    iexcludeFiles: [Buffer.from("DOCUMENTS\n#MUSIC\n")],
  },
  "cache directories": { caches: true },
  "directories that hold a file": { ifPresent: [".nobackup", ".git", "A"] },
  "markers that agree, and headers": { ifPresent: ["A:yes", "B", "CACHEDIR.TAG", "z:2"] },
  "a marker that a pattern leaves out": { caches: true, excludes: ["CACHEDIR.TAG"] },
  "large files and long links": { largerThan: "1K" },
  "all that is not empty": { largerThan: "0" },
  "everything at once": {
    excludes: ["*.tmp", "!keep"],
    iexcludes: ["music"],
    caches: true,
    ifPresent: [".nobackup"],
    largerThan: "10b",
    oneFileSystem: true,
  },
};

beforeAll(async () => {
  for (const [name, content] of Object.entries(tree)) {
    const file = path.join(source, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  for (const name of ["caf\xe9.txt", "raw-\xff\xfe", "raw-\xfe"]) {
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from(name, "latin1")]), "1");
  }
  symlinkSync("short", path.join(source, "short-link"));
  symlinkSync("x".repeat(1025), path.join(source, "long-link"));
  mkdirSync(path.join(source, "empty"));
  // Quick to open, which restic does twice a case.
  await Repository.init(openStore(repository), {
    password: Buffer.from("secret"),
    signal: new AbortController().signal,
    scrypt: { N: 1024, r: 8, p: 1 },
  });
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Paths that restic saves, below and with the root. */
function saveWithRestic(restic: string, root: string, given: Given): string[] {
  const list = (option: string, values: readonly string[] = []): string[] =>
    values.flatMap((value) => [option, value]);
  const files = (option: string, contents: readonly Uint8Array[] = []): string[] =>
    contents.flatMap((content, index) => {
      const file = path.join(folder, `${option}-${index}`);
      writeFileSync(file, content);
      return [option, file];
    });
  const run = (...args: string[]): string =>
    execFileSync(restic, ["-r", repository, "--no-cache", "--json", ...args], {
      env: { ...environment, PATH: process.env["PATH"], RESTIC_PASSWORD: "secret" },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 64 * 1024 * 1024,
    });
  const output = run(
    "backup",
    root,
    ...list("--exclude", given.excludes),
    ...list("--iexclude", given.iexcludes),
    ...files("--exclude-file", given.excludeFiles),
    ...files("--iexclude-file", given.iexcludeFiles),
    ...list("--exclude-if-present", given.ifPresent),
    ...(given.caches === true ? ["--exclude-caches"] : []),
    ...(given.largerThan === undefined ? [] : ["--exclude-larger-than", given.largerThan]),
    ...(given.oneFileSystem === true ? ["--one-file-system"] : []),
  );
  const snapshot = /"snapshot_id":"([0-9a-f]+)"/.exec(output)?.[1] ?? expect.fail(output);
  return run("ls", snapshot)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as { path?: string })
    .flatMap((node) => node.path ?? [])
    .filter((each) => each === root || each.startsWith(`${root}/`))
    .sort();
}

/** Paths that our selection takes, below and with the root; without sockets, which restic never saves. */
function select(root: string, given: Given): string[] {
  const named = (contents: readonly Uint8Array[] = []) =>
    contents.map((content, index) => ({ name: `list-${index}`, content }));
  const collected = collectExcludes(
    {
      excludes: given.excludes ?? [],
      caseInsensitiveExcludes: given.iexcludes ?? [],
      excludeFiles: named(given.excludeFiles),
      caseInsensitiveExcludeFiles: named(given.iexcludeFiles),
      excludeCaches: given.caches ?? false,
      excludeIfPresent: given.ifPresent ?? [],
    },
    (name) => environment[name],
  );
  const largest = given.largerThan;
  const options = {
    ...collected,
    ...(largest === undefined ? {} : { excludeLargerThanBytes: parseSize(largest, "option") }),
    oneFileSystem: given.oneFileSystem ?? false,
    ownPlaces: [Buffer.from(repository)],
  };
  const source = openSourceFiles();
  const directory = source.openDirectory(Buffer.from(root));
  const record = new Uint8Array(statRecordBytes);
  directory.stat(undefined, record, 0);
  const start = { path: Buffer.from(root), record };
  const selection = new Selection(options, [start]);
  if (selection.verdictOfRoot(start) !== 0) return [];
  return [root, ...walk(directory, selection.root(start), root)].sort();
}

function walk(directory: SourceDirectory, scope: DirectoryScope, above: string): string[] {
  const found: string[] = [];
  const { names, offsets, count, duplicates } = directory.list();
  const listing = { count, names: names.slice(), offsets: offsets.slice(), duplicates };
  scope.isMarkedOut(listing, (name, lengthBytes) => readHeader(directory, name, lengthBytes));
  const record = new Uint8Array(statRecordBytes);
  for (let index = 0; index < count; index++) {
    const [start, end] = [listing.offsets[index], listing.offsets[index + 1]];
    if (scope.verdictOfName(listing.names, start, end) !== 0) continue;
    const name = listing.names.subarray(start, end);
    directory.stat(name, record, 0);
    if (scope.verdictOfRecord(listing.names, start, end, record, 0) !== 0) continue;
    const type = new DataView(record.buffer).getUint32(statAt.mode, true) & modeType.mask;
    if (type === modeType.socket) continue;
    const full = path.join(above, Buffer.from(name).toString());
    found.push(full);
    if (type !== modeType.directory) continue;
    const child = scope.enter(listing.names, start, end, record, 0);
    if (child.stops !== undefined) continue;
    found.push(...walk(directory.openDirectory(name), child, full));
  }
  directory.close();
  return found;
}

function readHeader(
  directory: SourceDirectory,
  name: Uint8Array,
  lengthBytes: number,
): Uint8Array | undefined {
  try {
    const file = openSourceFiles().openFile(directory.token, name);
    const header = Buffer.alloc(lengthBytes);
    const count = file.read(header, 0, lengthBytes, 0);
    file.close();
    return header.subarray(0, count);
  } catch {
    return undefined;
  }
}

describeWithPeers("selection and restic 0.18 take the same", ["restic018"], ({ restic018 }) => {
  it.each(Object.keys(cases))("%s", (name) => {
    const expected = saveWithRestic(restic018, source, cases[name]);
    expect(expected.length).toBeGreaterThan(1);
    expect(select(source, cases[name])).toEqual(expected);
  });

  it("mount points are kept, and empty", (context) => {
    const device = lstatSync("/dev").dev;
    const mounts = readdirSync("/dev").filter((name) => lstatSync(`/dev/${name}`).dev !== device);
    if (mounts.length === 0) context.skip("nothing is mounted below /dev");
    const expected = saveWithRestic(restic018, "/dev", { oneFileSystem: true });
    expect(expected).toContain(`/dev/${mounts[0]}`);
    expect(select("/dev", { oneFileSystem: true })).toEqual(expected);
  });
});

describe("the cases", () => {
  it("leave something out and keep something each, but for the one that leaves out nothing", () => {
    const all = select(source, {});
    expect(all.length).toBeGreaterThan(90);
    for (const [name, given] of Object.entries(cases)) {
      const count = select(source, given).length;
      if (name === "nothing") expect(count).toBe(all.length);
      else {
        expect(count, name).toBeLessThan(all.length);
        expect(count, name).toBeGreaterThan(1);
      }
    }
  });
});
