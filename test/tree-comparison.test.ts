/** A comparison that sees nothing would let every round trip pass: each field is changed, and must be found. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AwkwardEntries, isRoot } from "../platform/linux/awkward-entries.ts";
import { systemName } from "../platform/system-name.ts";
import { makeAwkwardTree } from "./awkward-tree.ts";
import { compareTrees, differenceLines, type TreeComparisonOptions } from "./tree-comparison.ts";

const isLinux = systemName().system === "linux";
const mebibyte = 1024 * 1024;
const instant = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

let base: string;
let left: string;
let right: string;

beforeEach(() => {
  base = mkdtempSync(path.join(tmpdir(), "backstay-comparison-"));
  left = path.join(base, "left");
  right = path.join(base, "right");
});
afterEach(() => {
  execFileSync("rm", ["-rf", base]);
});

function copy(): void {
  execFileSync("cp", ["-a", "--sparse=auto", left, right]);
}

function lines(options?: TreeComparisonOptions): string[] {
  return differenceLines(compareTrees(left, right, options));
}

const at = (side: string, ...names: string[]): string => path.join(side, ...names);

describe.runIf(isLinux)("a comparison of two trees", () => {
  let entries: AwkwardEntries;

  /** A tree with one entry for each thing that may be changed. */
  beforeEach(() => {
    entries = new AwkwardEntries();
    mkdirSync(at(left, "folder", "inner"), { recursive: true });
    for (const name of ["file", "folder/file", "one", "two", "three", "alone"])
      writeFileSync(at(left, name), name.padEnd(100));
    linkSync(at(left, "one"), at(left, "folder", "one"));
    linkSync(at(left, "two"), at(left, "folder", "two"));
    symlinkSync("target", at(left, "symlink"));
    entries.makeNode(at(left, "fifo"), 0o010600, 0);
    entries.setAttribute(at(left, "file"), "user.empty", new Uint8Array(0));
    entries.setAttribute(at(left, "file"), "user.value", Buffer.from("value"));
    writeFileSync(at(left, "sparse"), "");
    truncateSync(at(left, "sparse"), 4 * mebibyte);
    appendFileSync(at(left, "sparse"), "data");
    copy();
  });

  /** Gives a changed entry of the right side the time that it had. */
  function keepTime(name: string, change: () => void): void {
    const entry = at(right, name);
    const { mtimeNs } = lstatSync(entry, { bigint: true });
    change();
    const seconds = Number(mtimeNs / 1_000_000_000n);
    entries.setTime(entry, { seconds, nanoseconds: Number(mtimeNs % 1_000_000_000n) });
  }

  it("finds no difference in a faithful copy, and counts what it saw", () => {
    const comparison = compareTrees(left, right);
    expect(differenceLines(comparison)).toEqual([]);
    expect(comparison).toMatchObject({ entries: 14, files: 9, differenceCount: 0, expected: [] });
    expect(comparison.bytes).toBe(4 * mebibyte + 4 + 8 * 100);
  });

  it("finds what one side does not have", () => {
    keepTime(".", () => unlinkSync(at(right, "alone")));
    keepTime("folder", () => rmdirSync(at(right, "folder", "inner")));
    keepTime(".", () => writeFileSync(at(right, "zusätzlich\n"), ""));
    expect(lines()).toEqual([
      "alone: presence: file | -",
      "folder/inner: presence: folder | -",
      "zusätzlich\\x0a: presence: - | file",
    ]);
  });

  it("finds another type", () => {
    keepTime("folder", () => {
      rmdirSync(at(right, "folder", "inner"));
      writeFileSync(at(right, "folder", "inner"), "");
    });
    expect(lines()).toEqual(["folder/inner: type: folder | file"]);
  });

  it("finds each bit of a mode, also of folders and of the root", () => {
    chmodSync(at(right, "file"), lstatSync(at(left, "file")).mode ^ 0o001);
    chmodSync(at(right, "folder"), (lstatSync(at(left, "folder")).mode & 0o777) | 0o1000);
    chmodSync(right, 0o700);
    chmodSync(left, 0o750);
    expect(lines().map((line) => line.replace(/0[0-7]{3} \|.*/, ""))).toEqual([
      ".: mode: ",
      "file: mode: ",
      "folder: mode: ",
    ]);
    expect(lines({ skipsRoot: true })).toHaveLength(2);
    expect(lines({ ignored: ["mode"] })).toEqual([]);
  });

  it.runIf(isRoot)("finds other owners and groups, also of symlinks", () => {
    lchownSync(at(right, "file"), 4_294_967_294, 0);
    lchownSync(at(right, "symlink"), 0, 1);
    expect(lines()).toEqual(["file: owner: 0:0 | 4294967294:0", "symlink: owner: 0:0 | 0:1"]);
  });

  it("finds a nanosecond, of any kind of entry", () => {
    for (const name of ["file", "folder", "symlink", "fifo"]) {
      entries.setTime(at(left, name), instant);
      entries.setTime(at(right, name), { ...instant, nanoseconds: instant.nanoseconds + 1 });
    }
    const ns = "1600000000123456789 ns | 1600000000123456790 ns";
    expect(lines()).toEqual(
      ["fifo", "file", "folder", "symlink"].map((name) => `${name}: mtime: ${ns}`),
    );
  });

  it("finds other contents of the same size and time, wherever the byte is", () => {
    for (const [name, position] of [
      ["file", 99],
      ["sparse", 4 * mebibyte + 3],
    ] as const)
      keepTime(name, () => {
        const bytes = readFileSync(at(right, name));
        bytes[position] ^= 1;
        writeFileSync(at(right, name), bytes);
      });
    expect(lines({ ignored: ["space"] })).toEqual([
      "file: content: byte 99 | another byte",
      `sparse: content: byte ${4 * mebibyte + 3} | another byte`,
    ]);
  });

  it("finds a byte in what is a hole on the other side", () => {
    keepTime("sparse", () => {
      execFileSync("dd", [
        "if=/etc/hostname",
        `of=${at(right, "sparse")}`,
        "bs=1",
        "count=1",
        `seek=${3 * mebibyte + 7}`,
        "conv=notrunc",
        "status=none",
      ]);
    });
    expect(lines()).toEqual([`sparse: content: byte ${3 * mebibyte + 7} | another byte`]);
  });

  it("finds another size", () => {
    keepTime("file", () => appendFileSync(at(right, "file"), "x"));
    expect(lines()).toEqual(["file: size: 100 | 101"]);
  });

  it("finds holes that were filled, and takes holes that are new", () => {
    keepTime("sparse", () => {
      const bytes = readFileSync(at(right, "sparse"));
      writeFileSync(at(right, "sparse"), bytes);
    });
    expect(lines()).toHaveLength(1);
    expect(lines()[0]).toMatch(/^sparse: space: \d+ bytes \| \d{7} bytes$/);
    expect(differenceLines(compareTrees(right, left))).toEqual([]);
  });

  it("finds attributes that are missing, new, or have another value", () => {
    execFileSync("setfattr", ["-x", "user.empty", at(right, "file")]);
    entries.setAttribute(at(right, "file"), "user.value", Buffer.from("valuf"));
    entries.setAttribute(at(right, "folder"), "user.é\n", new Uint8Array(0));
    expect(lines()).toEqual([
      'file: attributes: user.empty "" | user.empty -',
      'file: attributes: user.value "dmFsdWU=" | user.value "dmFsdWY="',
      'folder: attributes: user.é\\x0a - | user.é\\x0a ""',
    ]);
  });

  it.runIf(isRoot)("finds attributes of symlinks and fifos", () => {
    for (const name of ["symlink", "fifo"])
      entries.setAttribute(at(right, name), "trusted.x", Buffer.from("x"));
    expect(lines().map((line) => line.split(":")[0])).toEqual(["fifo", "symlink"]);
  });

  it("finds another target of a symlink", () => {
    keepTime(".", () => {
      keepTime("symlink", () => {
        unlinkSync(at(right, "symlink"));
        symlinkSync("targez", at(right, "symlink"));
      });
    });
    expect(lines()).toEqual(["symlink: target: target | targez"]);
  });

  it("finds a hard link that became a copy, and a copy that became a hard link", () => {
    const replace = (name: string, make: (entry: string) => void): void =>
      keepTime(path.dirname(name), () =>
        keepTime(name, () => {
          const entry = at(right, name);
          renameSync(entry, `${entry}.old`);
          make(entry);
          rmSync(`${entry}.old`);
        }),
      );
    replace("folder/one", (entry) => copyFileSync(`${entry}.old`, entry));
    expect(lines()).toEqual(["one: links: the same as folder/one | another"]);
    writeFileSync(at(left, "alone"), readFileSync(at(left, "three")));
    entries.setTime(at(left, "alone"), instant);
    entries.setTime(at(left, "three"), instant);
    entries.setTime(at(right, "three"), instant);
    keepTime(".", () => {
      unlinkSync(at(right, "alone"));
      linkSync(at(right, "three"), at(right, "alone"));
    });
    expect(lines()).toContain("three: links: another | the same as alone");
  });

  it("finds names that were exchanged between two files with the same bytes", () => {
    for (const side of [left, right])
      for (const name of ["one", "two"]) {
        writeFileSync(at(side, name), "the same");
        entries.setTime(at(side, name), instant);
      }
    keepTime(".", () => {
      unlinkSync(at(right, "one"));
      unlinkSync(at(right, "two"));
      linkSync(at(right, "folder", "two"), at(right, "one"));
      linkSync(at(right, "folder", "one"), at(right, "two"));
    });
    expect(lines({ ignored: ["mtime"] }).map((line) => line.split(":", 2).join(":"))).toEqual([
      "one: links",
      "one: links",
      "two: links",
      "two: links",
    ]);
  });

  it.runIf(isRoot)("finds another device number", () => {
    entries.makeNode(at(left, "null"), 0o020666, 0x103);
    entries.makeNode(at(right, "null"), 0o020666, 0x105);
    expect(lines({ ignored: ["mtime"] })).toEqual(["null: device: 259 | 261"]);
  });

  it("leaves out what is expected, and tells it apart", () => {
    chmodSync(at(right, "file"), 0o600);
    chmodSync(at(right, "alone"), 0o600);
    const comparison = compareTrees(left, right, {
      isExpected: ({ path: where, field }) => where === "file" && field === "mode",
    });
    expect(comparison.differences.map(({ path: where }) => where)).toEqual(["alone"]);
    expect(comparison.expected.map(({ path: where }) => where)).toEqual(["file"]);
  });

  it("counts differences beyond those that it lists", () => {
    for (let i = 0; i < 300; i += 1) writeFileSync(at(left, `more ${i}`), "");
    const found = lines({ ignored: ["mtime"] });
    expect(found).toHaveLength(201);
    expect(found.at(-1)).toBe("and 100 more");
  });
});

describe.runIf(isLinux)("an awkward tree", { timeout: 120_000 }, () => {
  it("is the same as its copy by cp, and has every kind of entry", () => {
    const leftOut = makeAwkwardTree(left);
    copy();
    const comparison = compareTrees(left, right);
    expect(differenceLines(comparison)).toEqual([]);
    expect(comparison.entries).toBeGreaterThan(3000);
    expect(comparison.files).toBeGreaterThan(2500);
    const kinds = execFileSync("find", [left, "-printf", "%y\n"], { encoding: "utf8" });
    const expected = isRoot ? ["b", "c", "d", "f", "l", "p", "s"] : ["d", "f", "l", "p", "s"];
    expect([...new Set(kinds.trim().split("\n"))].sort()).toEqual(expected);
    if (isRoot) expect(leftOut.filter((what) => /root/.test(what))).toEqual([]);
  });

  it("goes beyond what a path can say, where that is asked for", () => {
    makeAwkwardTree(left, { wideEntries: 10, isBeyondPaths: true });
    const paths = execFileSync("find", [left, "-print0"], { maxBuffer: 64 * mebibyte });
    const all = paths.toString("latin1").split("\0").slice(0, -1);
    expect(Math.max(...all.map(({ length }) => length))).toBeGreaterThan(6000);
    expect(compareTrees(left, left).entries).toBe(all.length);
  });
});
