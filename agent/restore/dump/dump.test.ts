/** Dumps are read back by the system's own tar. */
import { execFileSync, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CraftedRepository, craftNode } from "../../../test/repository/crafted-snapshot.ts";
import { tarHeader, tarType } from "../../tar/tar-header.ts";
import type { RestoreIssue } from "../restore-issues.ts";
import { type DumpSummary, dumpPath } from "./dump.ts";

const signal = new AbortController().signal;
const asRoot = process.geteuid?.() === 0;

let base: string;
let crafted: CraftedRepository;
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "backstay-dump-"));
  crafted = new CraftedRepository();
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

interface Dumped {
  readonly bytes: Buffer;
  readonly summary: DumpSummary;
  readonly issues: RestoreIssue[];
}

async function dump(tree: Uint8Array, path: string): Promise<Dumped> {
  const pieces: Uint8Array[] = [];
  const issues: RestoreIssue[] = [];
  const summary = await dumpPath({
    repository: await crafted.open(),
    tree,
    path: Buffer.from(path),
    write: async (bytes) => {
      pieces.push(bytes);
    },
    onIssue: (issue) => issues.push(issue),
    signal,
  });
  return { bytes: Buffer.concat(pieces), summary, issues };
}

/** Unpacks with the system's tar; everything is kept that it can keep. */
function unpack(archive: Buffer): string {
  const folder = join(base, `out-${Math.random()}`);
  fs.mkdirSync(folder);
  const options = ["--numeric-owner", "-p", "-xf", "-", "-C", folder];
  execFileSync("tar", asRoot ? ["--xattrs", "--xattrs-include=*", ...options] : options, {
    input: archive,
    maxBuffer: 1 << 28,
  });
  return folder;
}

const hasTar = ((): boolean => {
  try {
    return execFileSync("tar", ["--version"]).toString().includes("GNU tar");
  } catch {
    return false;
  }
})();

describe("a dump of a file", () => {
  it("is its content, blob after blob", async () => {
    const parts = [Buffer.alloc(300_000, "a"), Buffer.alloc(50_000, "b"), Buffer.from("end")];
    const many = [...parts, ...parts, ...parts];
    const tree = crafted.tree([crafted.directory("d", [crafted.file("f", many)])]);
    const { bytes, summary } = await dump(tree, "/d/f");
    expect(bytes.equals(Buffer.concat(many))).toBe(true);
    expect(summary).toEqual({ kind: "file", entries: 1, bytes: bytes.length, issues: 0 });
  });

  it("fails when a blob is damaged, or when its size is another", async () => {
    const tree = crafted.tree([
      crafted.file("damaged", ["to be damaged"]),
      crafted.file("lie", ["12345"], { size: 6 }),
      craftNode({ name: "link", type: "symlink", linkTarget: Uint8Array.of(0x78) }),
    ]);
    await crafted.open();
    const handle = { type: "data", name: crafted.packIds[0] } as const;
    const pack = await crafted.store.load(handle, undefined, signal);
    pack[20] ^= 1;
    await crafted.store.remove(handle, signal);
    await crafted.store.save(handle, pack, signal);
    await expect(dump(tree, "damaged")).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    await expect(dump(tree, "lie")).rejects.toMatchObject({ code: "REPOSITORY_DAMAGED" });
    await expect(dump(tree, "absent")).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
    await expect(dump(tree, "link")).rejects.toMatchObject({ code: "PATH_NOT_FOUND" });
  });
});

describe.runIf(hasTar)("a dump of a folder", () => {
  it("unpacks to the same files, folders and links, with their times", async () => {
    const link = { links: 2n, inode: 7n, deviceId: 1n };
    const long = `${"n".repeat(200)}é`;
    const tree = crafted.tree([
      crafted.directory("top", [
        crafted.file("a", ["content"], { permissions: 0o640 }),
        crafted.file("b", ["shared"], link),
        crafted.file("c", ["shared"], link),
        crafted.file("empty", []),
        crafted.file(long, ["x".repeat(1000)]),
        crafted.file(Uint8Array.of(0xff, 0x0a, 0x22), ["raw"]),
        crafted.file("old", ["x"], { mtime: { seconds: -3, nanoseconds: 250_000_000 } }),
        crafted.file("late", ["x"], { mtime: { seconds: 9_000_000_000, nanoseconds: 7 } }),
        craftNode({ name: "link", type: "symlink", linkTarget: Buffer.from(`/${long}`) }),
        craftNode({ name: "fifo", type: "fifo" }),
        craftNode({ name: "socket", type: "socket" }),
        crafted.directory("sub", [crafted.file("deep", ["deep"])], { permissions: 0o750 }),
      ]),
      crafted.file("outside", ["not dumped"]),
    ]);
    const { bytes, summary, issues } = await dump(tree, "/top");
    expect(bytes.length % 512).toBe(0);
    expect(summary).toMatchObject({ kind: "tar", bytes: bytes.length, issues: 0 });
    expect(issues).toEqual([]);
    const folder = unpack(bytes);
    expect(fs.readdirSync(folder)).toEqual(["top"]);
    const at = (name: string): string => join(folder, "top", name);
    const stat = (name: string): fs.BigIntStats => fs.lstatSync(at(name), { bigint: true });
    expect(fs.readFileSync(at("a"), "utf8")).toBe("content");
    expect(stat("a").mtimeNs).toBe(1_600_000_000_123_456_789n);
    expect(Number(stat("a").mode) & 0o777).toBe(0o640);
    expect(stat("c").ino).toBe(stat("b").ino);
    expect(fs.readFileSync(at(long), "utf8")).toHaveLength(1000);
    const raw = Buffer.concat([Buffer.from(`${at(".")}/`), Buffer.of(0xff, 0x0a, 0x22)]);
    expect(fs.readFileSync(raw, "utf8")).toBe("raw");
    expect(stat("old").mtimeNs).toBe(-2_750_000_000n);
    expect(stat("late").mtimeNs).toBe(9_000_000_000_000_000_007n);
    expect(fs.readlinkSync(at("link"))).toBe(`/${long}`);
    expect(stat("fifo").isFIFO()).toBe(true);
    expect(fs.existsSync(at("socket"))).toBe(false);
    expect(Number(stat("sub").mode) & 0o777).toBe(0o750);
    expect(stat("sub").mtimeNs).toBe(1_600_000_000_123_456_789n);
    expect(fs.readFileSync(at("sub/deep"), "utf8")).toBe("deep");
  });

  it.runIf(asRoot)("keeps owners beyond 2^21, devices and attributes", async () => {
    const value = Uint8Array.from({ length: 256 }, (_, i) => i);
    const attributes = [{ name: new Uint8Array(Buffer.from("user.b=%x")), value }];
    const tree = crafted.tree([
      crafted.file("f", ["x"], { uid: 4_000_000_000, gid: 70, permissions: 0o4711, attributes }),
      craftNode({ name: "dev", type: "chardev", device: (0x12n << 8n) | 0x34n | (0x5n << 20n) }),
    ]);
    const folder = unpack((await dump(tree, "/")).bytes);
    expect(fs.statSync(join(folder, "f"))).toMatchObject({ uid: 4_000_000_000, gid: 70 });
    expect(fs.statSync(join(folder, "f")).mode & 0o7777).toBe(0o4711);
    expect(fs.lstatSync(join(folder, "dev")).rdev).toBe(0x501234);
    const { LinuxTargetFiles } = await import("../../../platform/linux/target-files.ts");
    const files = new LinuxTargetFiles();
    const root = files.openRoot(Buffer.from(folder), false);
    const entry = files.openEntry(root, Buffer.from("f"));
    expect(files.getAttribute(entry, attributes[0].name)).toEqual(value);
    files.close(entry);
    files.close(root);
  });

  it("says the size of a file beyond 8 GiB", () => {
    const size = 2 ** 33 + 1;
    const none = new Uint8Array(0);
    const header = tarHeader({
      type: tarType.file,
      path: Buffer.from("huge"),
      permissions: 0o600,
      uid: 0,
      gid: 0,
      user: "",
      group: "",
      size,
      mtime: { seconds: 0, nanoseconds: 0 },
      linkPath: none,
      device: 0n,
      attributes: [],
    });
    expect(() => execFileSync("tar", ["-tvf", "-"], { input: header, stdio: "pipe" })).toThrow(
      /Unexpected EOF/,
    );
    const list = spawnSync("tar", ["-tvf", "-"], { input: header });
    expect(list.stdout.toString()).toMatch(new RegExp(` ${size} .*huge`));
  });

  it("leaves out what would be unpacked elsewhere, and tells", async () => {
    const tree = crafted.tree([
      crafted.file("../escape", ["evil"]),
      crafted.file("..", ["evil"]),
      crafted.file("good", ["good"]),
    ]);
    const { bytes, issues } = await dump(tree, "/");
    expect(issues).toHaveLength(2);
    const folder = unpack(bytes);
    expect(fs.readdirSync(folder)).toEqual(["good"]);
    expect(fs.readdirSync(base).filter((name) => name === "escape")).toEqual([]);
  });
});
