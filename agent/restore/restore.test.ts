/** What a restore does with good snapshots and ordinary targets. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { compilePatterns, type PatternSet } from "../patterns/pattern-set.ts";
import type { Node } from "../repository/tree/node.ts";
import { restoreSnapshot } from "./restore.ts";
import type { RestoreRequest } from "./restore-request.ts";
import type { RestoreSummary } from "./restore-summary.ts";

const asRoot = process.geteuid?.() === 0;
const onLinux = process.platform === "linux";
const mtime = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };

let base: string;
let target: string;
let crafted: CraftedRepository;
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "backstay-restore-"));
  target = join(base, "target");
  crafted = new CraftedRepository();
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

const at = (...parts: string[]): string => join(target, ...parts);
const text = (...parts: string[]): string => fs.readFileSync(at(...parts), "utf8");
const everything = (): string[] =>
  (fs.readdirSync(target, { recursive: true }) as string[]).toSorted();
const patterns = (...texts: string[]): PatternSet =>
  compilePatterns(texts.map((pattern) => ({ text: pattern, caseInsensitive: false })));
const random = (bytes: number, seed = 1): Buffer => {
  const buffer = Buffer.alloc(bytes);
  for (let i = 0, x = seed; i < bytes; i += 1) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    buffer[i] = x >>> 24;
  }
  return buffer;
};

async function restore(
  nodes: readonly Node[],
  options: Partial<RestoreRequest> = {},
): Promise<RestoreSummary> {
  const tree = crafted.tree(nodes);
  return await again(tree, options);
}

async function again(
  tree: Uint8Array,
  options: Partial<RestoreRequest> = {},
): Promise<RestoreSummary> {
  const repository = await crafted.open();
  return await restoreSnapshot({
    repository,
    tree,
    target: Buffer.from(target),
    signal: new AbortController().signal,
    ...options,
  });
}

describe("a restore into an empty folder", () => {
  it("writes files of none, one and many blobs, with times and permissions", async () => {
    const parts = [random(700_000), random(70_000, 2), random(3, 3)];
    const summary = await restore(
      [
        crafted.file("empty", []),
        crafted.file("small", ["hello"], { permissions: 0o640 }),
        crafted.directory("folder", [crafted.file("many", parts)], { permissions: 0o500 }),
      ],
      { threads: 3 },
    );
    expect(summary).toMatchObject({
      entriesTotal: 4,
      entriesRestored: 4,
      errors: 0,
      warnings: asRoot ? 0 : 1,
    });
    expect(text("small")).toBe("hello");
    expect(fs.readFileSync(at("folder", "many")).equals(Buffer.concat(parts))).toBe(true);
    expect(fs.statSync(at("empty")).size).toBe(0);
    for (const name of ["empty", "small", "folder", "folder/many"])
      expect(fs.statSync(at(name), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n);
    expect(fs.statSync(at("small")).mode & 0o7777).toBe(0o640);
    expect(fs.statSync(at("folder")).mode & 0o7777).toBe(0o500);
    fs.chmodSync(at("folder"), 0o700);
  });

  it("writes one blob to all places that need it", async () => {
    const shared = random(100_000);
    await restore([
      crafted.file("a", [shared]),
      crafted.file("b", [shared, shared, "end"]),
      crafted.directory("c", [crafted.file("d", ["x", shared])]),
    ]);
    expect(fs.readFileSync(at("a")).equals(shared)).toBe(true);
    expect(
      fs.readFileSync(at("b")).equals(Buffer.concat([shared, shared, Buffer.from("end")])),
    ).toBe(true);
    expect(fs.readFileSync(at("c", "d")).equals(Buffer.concat([Buffer.from("x"), shared]))).toBe(
      true,
    );
  });

  it("leaves holes where there are long runs of zeros", async () => {
    const zeros = Buffer.alloc(512 * 1024);
    await restore([crafted.file("sparse", [random(100_000), zeros, zeros, random(10, 7), zeros])]);
    const expected = Buffer.concat([random(100_000), zeros, zeros, random(10, 7), zeros]);
    expect(fs.readFileSync(at("sparse")).equals(expected)).toBe(true);
    expect(fs.statSync(at("sparse")).blocks * 512).toBeLessThan(400 * 1024);
  });

  it.runIf(onLinux)("makes symlinks, fifos and sockets", async () => {
    const target = new Uint8Array([0x2f, 0xff, 0x0a]);
    const summary = await restore([
      craftNode({ name: "link", type: "symlink", linkTarget: target }),
      craftNode({ name: "fifo", type: "fifo", permissions: 0o622 }),
      craftNode({ name: "socket", type: "socket" }),
    ]);
    expect(summary).toMatchObject({ entriesTotal: 3, entriesRestored: 3, errors: 0, issues: [] });
    expect(new Uint8Array(fs.readlinkSync(at("link"), "buffer"))).toEqual(target);
    expect(fs.lstatSync(at("link"), { bigint: true }).mtimeNs).toBe(1_600_000_000_123_456_789n);
    expect(fs.lstatSync(at("fifo")).isFIFO()).toBe(true);
    expect(fs.lstatSync(at("fifo")).mode & 0o777).toBe(0o622);
    expect(fs.lstatSync(at("socket")).isSocket()).toBe(true);
  });

  it.runIf(asRoot && onLinux)(
    "gives owners, setuid bits, devices, attributes and capabilities back",
    async () => {
      const capability = Uint8Array.from(
        Buffer.from("0100000200040000000000000000000000000000", "hex"),
      );
      const attribute = (name: string, value: Uint8Array) => ({
        name: new Uint8Array(Buffer.from(name)),
        value,
      });
      const summary = await restore([
        crafted.file("tool", ["#!"], {
          permissions: 0o6755,
          uid: 1234,
          gid: 2345,
          attributes: [
            attribute("security.capability", capability),
            attribute("user.note", Uint8Array.of(0, 1)),
          ],
        }),
        craftNode({ name: "null", type: "chardev", device: 259n, uid: 3 }),
        craftNode({
          name: "link",
          type: "symlink",
          linkTarget: Uint8Array.of(0x78),
          uid: 77,
          gid: 88,
        }),
        crafted.directory("dir", [crafted.file("in", ["x"])], {
          permissions: 0o2770,
          uid: 5,
          gid: 6,
        }),
      ]);
      expect(summary).toMatchObject({ errors: 0, warnings: 0 });
      expect(fs.statSync(at("tool"))).toMatchObject({ uid: 1234, gid: 2345 });
      expect(fs.statSync(at("tool")).mode & 0o7777).toBe(0o6755);
      expect(fs.lstatSync(at("null")).rdev).toBe(259);
      expect(fs.lstatSync(at("null"))).toMatchObject({ uid: 3 });
      expect(fs.lstatSync(at("link"))).toMatchObject({ uid: 77, gid: 88 });
      expect(fs.statSync(at("dir"))).toMatchObject({ uid: 5, gid: 6 });
      expect(fs.statSync(at("dir")).mode & 0o7777).toBe(0o2770);
      expect(fs.statSync(at("dir", "in"))).toMatchObject({ uid: 0, gid: 0 });
      const { LinuxTargetFiles } = await import("../../platform/linux/target-files.ts");
      const files = new LinuxTargetFiles();
      const root = files.openRoot(Buffer.from(target), false);
      const tool = files.openEntry(root, Buffer.from("tool"));
      expect(files.getAttribute(tool, Buffer.from("security.capability"))).toEqual(capability);
      expect(files.getAttribute(tool, Buffer.from("user.note"))).toEqual(Uint8Array.of(0, 1));
      files.close(tool);
      files.close(root);
    },
  );

  it("restores further names of a file as hard links, and only those", async () => {
    const link = { links: 3n, inode: 2n ** 60n + 1n, deviceId: 5n };
    await restore([
      crafted.file("a", ["same"], link),
      crafted.directory("d", [crafted.file("b", ["same"], link)]),
      crafted.file("other-content", ["else"], link),
      crafted.file("other-inode", ["same"], { ...link, inode: 2n ** 60n + 2n }),
      crafted.file("other-device", ["same"], { ...link, deviceId: 6n }),
      crafted.file("empty-1", [], { ...link, inode: 9n }),
      crafted.file("empty-2", [], { ...link, inode: 9n }),
    ]);
    const inode = (name: string): number => fs.statSync(at(name)).ino;
    expect(inode("d/b")).toBe(inode("a"));
    expect(fs.statSync(at("a")).nlink).toBe(2);
    for (const name of ["other-content", "other-inode", "other-device"])
      expect(fs.statSync(at(name)).nlink).toBe(1);
    expect(text("other-content")).toBe("else");
    expect(inode("empty-2")).toBe(inode("empty-1"));
  });

  it("sets times before 1970 and after 2038, and access times that differ", async () => {
    const summary = await restore([
      crafted.file("old", ["x"], { mtime: { seconds: -5, nanoseconds: 250_000_000 } }),
      crafted.file("late", ["x"], {
        mtime: { seconds: 5_000_000_000, nanoseconds: 1 },
        atime: { seconds: 17, nanoseconds: 18 },
      }),
    ]);
    expect(summary.warnings).toBe(asRoot ? 0 : 1);
    const stat = (name: string) => fs.statSync(at(name), { bigint: true });
    expect(stat("old").mtimeNs).toBe(-4_750_000_000n);
    expect(stat("late").mtimeNs).toBe(5_000_000_000_000_000_001n);
    expect(stat("late").atimeNs).toBe(17_000_000_018n);
  });

  it("restores a part: a folder's content, a file by itself, nothing that is not there", async () => {
    const tree = crafted.tree([
      crafted.directory("a", [
        crafted.directory("b", [crafted.file("c", ["C"])]),
        crafted.file("other", ["O"]),
      ]),
    ]);
    await again(tree, { path: Buffer.from("/a/b") });
    expect(fs.readdirSync(target)).toEqual(["c"]);
    await again(tree, { path: Buffer.from("a/other") });
    expect(text("other")).toBe("O");
    await expect(again(tree, { path: Buffer.from("a/x") })).rejects.toThrow("no such path");
    await expect(again(tree, { path: Buffer.from("a/other/x") })).rejects.toThrow("no such path");
  });

  it("restores what patterns include, with the folders on the way, and not what they exclude", async () => {
    const tree = crafted.tree([
      crafted.directory("a", [
        crafted.directory("deep", [crafted.file("x.txt", ["x"]), crafted.file("x.log", ["l"])]),
        crafted.directory("nothing", [crafted.file("y.log", ["l"])]),
      ]),
      crafted.file("top.txt", ["t"]),
    ]);
    const summary = await again(tree, { include: patterns("*.txt") });
    expect(everything()).toEqual(["a", "a/deep", "a/deep/x.txt", "top.txt"].toSorted());
    expect(summary).toMatchObject({ entriesTotal: 2, entriesRestored: 2, errors: 0 });
    target = join(base, "second");
    await again(tree, { exclude: patterns("*.log", "/top.txt") });
    expect(everything()).toEqual(["a", "a/deep", "a/deep/x.txt", "a/nothing"].toSorted());
    target = join(base, "third");
    await again(tree, { include: patterns("/a"), exclude: patterns("deep") });
    expect(everything()).toEqual(["a", "a/nothing", "a/nothing/y.log"].toSorted());
  });

  it("reports progress and what it does with each entry", async () => {
    const phases: string[] = [];
    const entries: string[] = [];
    let last = { entriesDone: 0, bytesDone: 0, entriesTotal: 0, bytesTotal: 0 };
    await restore(
      [crafted.file("a", ["abc"]), crafted.directory("d", [crafted.file("b", ["de", "f"])])],
      {
        progress: {
          counts: (counts) => {
            if (phases.at(-1) !== counts.phase) phases.push(counts.phase);
            last = counts;
          },
          entry: (action, path, size) =>
            entries.push(`${action} ${Buffer.from(path).toString()} ${size}`),
        },
      },
    );
    expect(phases).toEqual(["plan", "compare", "restore"]);
    expect(last).toMatchObject({ entriesDone: 3, entriesTotal: 3, bytesDone: 6, bytesTotal: 6 });
    expect(entries.toSorted()).toEqual(["restored a 3", "restored d 0", "restored d/b 3"]);
  });

  it.runIf(onLinux)("leaves no descriptor open, however it ends", async () => {
    const open = (): number =>
      fs.readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(base);
        } catch {
          return false;
        }
      }).length;
    const tree = crafted.tree([
      crafted.directory("d", [crafted.file("many", [random(100_000), random(90_000, 2)])]),
      crafted.file("one", ["1"]),
    ]);
    await again(tree, { threads: 2, verify: true });
    expect(open()).toBe(0);
    await again(tree, { delete: true, deleteConfirmed: true });
    await again(tree, { dryRun: true });
    await expect(again(tree, { delete: true })).rejects.toThrow();
    await expect(again(tree, { signal: AbortSignal.abort() })).rejects.toThrow();
    expect(open()).toBe(0);
  });

  it("stops when told to, with the signal's reason", async () => {
    const controller = new AbortController();
    const reason = new Error("stop here");
    const nodes = Array.from({ length: 300 }, (_, i) => crafted.file(`f${i}`, [`content ${i}`]));
    const run = restore(nodes, {
      signal: controller.signal,
      progress: {
        counts: ({ phase }) => {
          if (phase === "restore") controller.abort(reason);
        },
      },
    });
    await expect(run).rejects.toBe(reason);
  });
});

describe("a restore over what is there", () => {
  const old = { seconds: 1_500_000_000, nanoseconds: 0 };
  const put = (name: string, content: string | Buffer, seconds = 1_700_000_000): void => {
    fs.mkdirSync(join(target, name, ".."), { recursive: true });
    fs.writeFileSync(at(name), content);
    fs.utimesSync(at(name), seconds, seconds);
  };

  it("brings everything to the snapshot's state with `always`", async () => {
    put("same", "content");
    put("other", "different");
    put("longer", "content and more");
    const summary = await restore([
      crafted.file("same", ["content"]),
      crafted.file("other", ["content"]),
      crafted.file("longer", ["content"]),
      crafted.file("new", ["content"]),
    ]);
    for (const name of ["same", "other", "longer", "new"]) {
      expect(text(name)).toBe("content");
      expect(fs.statSync(at(name)).mtimeMs).toBeCloseTo(1_600_000_000_123.456, 0);
    }
    expect(summary).toMatchObject({ entriesRestored: 3, entriesUnchanged: 1, bytesSkipped: 7 });
  });

  it("rewrites only the blobs of a file that differ, in place", async () => {
    const parts = [random(300_000), random(400_000, 2), random(500_000, 3)];
    const existing = Buffer.concat(parts);
    existing[350_000] ^= 1;
    put("file", Buffer.concat([existing, Buffer.from("tail")]));
    const inode = fs.statSync(at("file")).ino;
    const summary = await restore([crafted.file("file", parts)]);
    expect(fs.readFileSync(at("file")).equals(Buffer.concat(parts))).toBe(true);
    expect(fs.statSync(at("file")).ino).toBe(inode);
    expect(summary.bytesRestored).toBe(400_000);
  });

  it("cuts a file that is right but for its end", async () => {
    put("file", "onetwoTAIL");
    const summary = await restore([crafted.file("file", ["one", "two"])]);
    expect(text("file")).toBe("onetwo");
    expect(summary).toMatchObject({ bytesRestored: 0, entriesRestored: 1 });
  });

  it("trusts size and time with `if-changed`, and nothing else", async () => {
    put("trusted", "CONTENT");
    fs.utimesSync(at("trusted"), 1_600_000_000, 1_600_000_000);
    put("touched", "CONTENT");
    await restore(
      [
        crafted.file("trusted", ["content"], { mtime: { seconds: 1_600_000_000, nanoseconds: 0 } }),
        crafted.file("touched", ["content"]),
      ],
      { overwrite: "if-changed" },
    );
    expect(text("trusted")).toBe("CONTENT");
    expect(text("touched")).toBe("content");
  });

  it("keeps newer files with `if-newer` and every file with `never`", async () => {
    for (const rule of ["if-newer", "never"] as const) {
      target = join(base, rule);
      crafted = new CraftedRepository();
      put("newer", "mine", 1_700_000_000);
      put("older", "mine", 1_400_000_000);
      put("same-age", "mine", 1_500_000_000);
      const summary = await restore(
        ["newer", "older", "same-age", "absent"].map((name) =>
          crafted.file(name, ["theirs"], { mtime: old }),
        ),
        { overwrite: rule },
      );
      expect(text("newer")).toBe("mine");
      expect(text("same-age")).toBe("mine");
      expect(text("older")).toBe(rule === "never" ? "mine" : "theirs");
      expect(text("absent")).toBe("theirs");
      expect(summary.entriesSkipped).toBe(rule === "never" ? 3 : 2);
    }
  });

  it("gives the data to the next name when the first name of a file is kept", async () => {
    put("a", "mine");
    const link = { links: 3n, inode: 7n, deviceId: 1n };
    const nodes = ["a", "b", "c"].map((name) => crafted.file(name, ["the", "irs"], link));
    await restore(nodes, { overwrite: "never" });
    expect(text("a")).toBe("mine");
    expect(text("b")).toBe("theirs");
    expect(fs.statSync(at("c")).ino).toBe(fs.statSync(at("b")).ino);
  });

  it("replaces symlinks, fifos and empty folders that are in the way, but no full folder", async () => {
    fs.mkdirSync(at("full"), { recursive: true });
    fs.writeFileSync(at("full", "mine"), "");
    fs.mkdirSync(at("empty"));
    fs.writeFileSync(join(base, "outside"), "outside");
    fs.symlinkSync(join(base, "outside"), at("link"));
    fs.symlinkSync(base, at("folder"));
    fs.writeFileSync(at("was-file"), "");
    const summary = await restore([
      crafted.file("full", ["x"]),
      crafted.file("empty", ["x"]),
      crafted.file("link", ["x"]),
      crafted.directory("folder", [crafted.file("outside", ["x"])]),
      crafted.directory("was-file", [crafted.file("in", ["x"])]),
      craftNode({ name: "now-link", type: "symlink", linkTarget: Uint8Array.of(0x78) }),
    ]);
    expect(fs.readFileSync(join(base, "outside"), "utf8")).toBe("outside");
    expect(text("link")).toBe("x");
    expect(fs.lstatSync(at("link")).isFile()).toBe(true);
    expect(text("folder", "outside")).toBe("x");
    expect(fs.lstatSync(at("folder")).isDirectory()).toBe(true);
    expect(text("was-file", "in")).toBe("x");
    expect(text("empty")).toBe("x");
    expect(summary.errors).toBe(1);
    expect(summary.issues[0]).toMatchObject({ path: "full", kind: "target" });
    expect(fs.existsSync(at("full", "mine"))).toBe(true);
  });

  it("never changes a file through another name that it has", async () => {
    put("file", "shared");
    fs.linkSync(at("file"), join(base, "outside"));
    fs.chmodSync(join(base, "outside"), 0o600);
    await restore([crafted.file("file", ["theirs"], { permissions: 0o666 })]);
    expect(text("file")).toBe("theirs");
    expect(fs.readFileSync(join(base, "outside"), "utf8")).toBe("shared");
    expect(fs.statSync(join(base, "outside")).mode & 0o777).toBe(0o600);
    crafted = new CraftedRepository();
    fs.rmSync(at("file"));
    fs.linkSync(join(base, "outside"), at("file"));
    await restore([crafted.file("file", ["shared"], { permissions: 0o666 })]);
    expect(fs.statSync(join(base, "outside")).mode & 0o777).toBe(0o600);
    expect(fs.statSync(at("file")).mode & 0o777).toBe(0o666);
  });

  it("changes nothing the second time", async () => {
    const link = { links: 2n, inode: 7n, deviceId: 1n };
    const tree = crafted.tree([
      crafted.file("a", ["one", "two"]),
      crafted.directory("d", [crafted.file("l1", ["x"], link), crafted.file("l2", ["x"], link)]),
      craftNode({ name: "s", type: "symlink", linkTarget: Uint8Array.of(0x78) }),
    ]);
    await again(tree);
    const times = (): bigint[] =>
      ["a", "d/l1", "d/l2", "s"].map((name) => fs.lstatSync(at(name), { bigint: true }).ctimeNs);
    const before = times();
    const summary = await again(tree);
    expect(summary).toMatchObject({ entriesUnchanged: 5, entriesRestored: 0, bytesRestored: 0 });
    expect(times()).toEqual(before);
  });

  it("finishes what an interrupted restore began, whatever the rule, without writing again what is right", async () => {
    const parts = [random(200_000), random(300_000, 2), random(100_000, 3)];
    const tree = crafted.tree([
      crafted.file("large", parts, { mtime: old }),
      crafted.file("small", ["content"], { mtime: old }),
    ]);
    for (const overwrite of ["always", "if-changed", "if-newer", "never"] as const) {
      target = join(base, overwrite);
      const begun = Buffer.concat([parts[0], Buffer.alloc(400_000)]);
      put("large", begun);
      put("small", "");
      for (const name of ["large", "small"]) fs.chmodSync(at(name), 0o200);
      const summary = await again(tree, { overwrite });
      expect(summary).toMatchObject({ entriesRestored: 2, errors: 0, bytesRestored: 400_007 });
      expect(fs.readFileSync(at("large")).equals(Buffer.concat(parts))).toBe(true);
      expect(text("small")).toBe("content");
      expect(fs.statSync(at("large")).mode & 0o7777).toBe(0o644);
    }
  });

  it("removes what the snapshot does not have, once that is confirmed", async () => {
    put("keep", "x");
    put("extra", "x");
    put("d/extra/deep/er", "x");
    put("d/keep", "x");
    fs.mkdirSync(join(base, "outside"));
    fs.writeFileSync(join(base, "outside", "file"), "");
    fs.symlinkSync(join(base, "outside"), at("d", "link-out"));
    const tree = crafted.tree([
      crafted.file("keep", ["x"]),
      crafted.directory("d", [crafted.file("keep", ["x"])]),
    ]);
    await expect(again(tree, { delete: true })).rejects.toMatchObject({
      code: "RESTORE_DELETE_REFUSED",
    });
    const told: string[] = [];
    const entry = (action: string, path: Uint8Array): void => {
      if (action === "deleted") told.push(Buffer.from(path).toString());
    };
    await again(tree, { delete: true, dryRun: true, progress: { entry } });
    expect(told.toSorted()).toEqual(["d/extra", "d/link-out", "extra"]);
    expect(fs.existsSync(at("d", "extra", "deep", "er"))).toBe(true);
    const summary = await again(tree, { delete: true, deleteConfirmed: true });
    expect(summary.entriesDeleted).toBe(3);
    expect(everything()).toEqual(["d", "d/keep", "keep"]);
    expect(fs.existsSync(join(base, "outside", "file"))).toBe(true);
    await expect(
      again(tree, { delete: true, deleteConfirmed: true, target: Buffer.from("/"), dryRun: true }),
    ).rejects.toMatchObject({ code: "RESTORE_DELETE_REFUSED" });
  });

  it("removes only what the patterns speak of", async () => {
    for (const name of ["a/x.txt", "a/gone.txt", "a/gone.log"]) put(name, "x");
    const tree = crafted.tree([
      crafted.directory("a", [crafted.file("x.txt", ["x"]), crafted.file("y.log", ["x"])]),
    ]);
    await again(tree, { delete: true, deleteConfirmed: true, include: patterns("*.txt") });
    expect(fs.readdirSync(at("a")).toSorted()).toEqual(["gone.log", "x.txt"]);
    put("a/gone.txt", "x");
    await again(tree, { delete: true, deleteConfirmed: true, exclude: patterns("*.log") });
    expect(fs.readdirSync(at("a")).toSorted()).toEqual(["gone.log", "x.txt"]);
  });

  it("changes nothing in a dry run, and says what it would do", async () => {
    put("same", "content");
    put("other", "different");
    const tree = crafted.tree([
      crafted.file("same", ["content"]),
      crafted.file("other", ["content"]),
      crafted.directory("d", [crafted.file("new", ["content"])]),
    ]);
    const entries: string[] = [];
    const progress = {
      entry: (action: string, path: Uint8Array) =>
        entries.push(`${action} ${Buffer.from(path).toString()}`),
    };
    const before = fs.statSync(at("same"), { bigint: true });
    const summary = await again(tree, { dryRun: true, progress });
    expect(entries.toSorted()).toEqual([
      "restored d",
      "restored d/new",
      "unchanged same",
      "updated other",
    ]);
    expect(summary).toMatchObject({ entriesRestored: 3, entriesUnchanged: 1, entriesFailed: 0 });
    expect(summary).toMatchObject({ bytesRestored: 14, bytesSkipped: 7 });
    expect(text("other")).toBe("different");
    expect(fs.existsSync(at("d"))).toBe(false);
    expect(fs.statSync(at("same"), { bigint: true })).toEqual(before);
    target = join(base, "absent");
    const absent = await again(tree, { dryRun: true });
    expect(absent).toMatchObject({ entriesRestored: 4, bytesRestored: 21 });
    expect(fs.existsSync(target)).toBe(false);
  });

  it("verifies what it wrote and what it trusted", async () => {
    put("trusted", "CONTENT");
    fs.utimesSync(at("trusted"), mtime.seconds, mtime.seconds);
    const summary = await restore(
      [
        crafted.file("trusted", ["content"], { mtime: { ...mtime, nanoseconds: 0 } }),
        crafted.file("new", ["con", "tent"]),
      ],
      { overwrite: "if-changed", verify: true },
    );
    expect(summary).toMatchObject({ filesVerified: 2, errors: 1, entriesFailed: 1 });
    expect(summary.issues[0]).toMatchObject({ kind: "different", path: "trusted" });
  });
});
