import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { BackupScene, type SceneBackup } from "../../test/backup/backup-scene.ts";
import { noiseOf } from "../../test/backup/noise.ts";
import { withSave } from "../../test/backup/save-hook.ts";
import { differences, nodeAt, rootOf } from "../../test/backup/snapshot-compare.ts";
import { assertWhole } from "../../test/backup/whole-repository.ts";
import type { Repository } from "../repository/repository.ts";
import type { Node } from "../repository/tree/node.ts";

const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const mebibyte = 1024 * 1024;

let scene: BackupScene;
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  scene?.remove();
});

/** The repository as another process sees it. */
async function look(): Promise<Repository> {
  const repository = await scene.open(scene.store, true);
  await repository.loadIndex(never);
  return repository;
}

async function expectExact(backup: SceneBackup, place = scene.source): Promise<void> {
  await assertWhole(await scene.open(scene.store, true));
  expect(await differences(await look(), backup.snapshot, place)).toEqual([]);
}

async function nodeOf(backup: SceneBackup, name: string): Promise<Node | undefined> {
  return await nodeAt(await look(), backup.snapshot, scene.at(name));
}

/** Runs `act` as somebody who owns nothing. */
async function asNobody<T>(act: () => Promise<T>): Promise<T> {
  process.setegid?.(65_534);
  process.seteuid?.(65_534);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

describe("a backup of awkward entries", { timeout: 120_000 }, () => {
  it("takes in every type, any name, and never waits for a fifo or a socket", async () => {
    scene = await BackupScene.create();
    scene.write("empty", "");
    scene.write("one", "x");
    mkdirSync(scene.at("empty folder"));
    execFileSync("mkfifo", [scene.at("fifo")]);
    servers.push(createServer().listen(scene.at("socket")));
    symlinkSync(Buffer.from("to/\xff", "latin1"), scene.at("link"));
    symlinkSync("fifo", scene.at("link to fifo"));
    if (isRoot) execFileSync("mknod", [scene.at("null"), "c", "1", "3"]);
    for (const name of ["a\nb", 'quote"\\', "\xff\xfe", "é", " ", "x".repeat(255)])
      closeSync(openSync(Buffer.from(scene.at(name), "latin1"), "w"));
    lutimesSync(scene.at("link"), -1, -2_000_000_000.5);
    const first = await scene.backup();
    expect(first.issues).toBe(0);
    await expectExact(first);
    const second = await scene.backup();
    expect(second).toMatchObject({ filesNew: 0, filesChanged: 0, bytesRead: 0 });
  });

  it("keeps hard links recognisable, and reads their content once more for each name at most", async () => {
    scene = await BackupScene.create();
    scene.write("a/first", "linked");
    mkdirSync(scene.at("b"));
    linkSync(scene.at("a/first"), scene.at("b/second"));
    scene.write("b/alone", "alone");
    const first = await scene.backup();
    expect(first.dataBlobs).toBe(2);
    const [one, two] = [await nodeOf(first, "a/first"), await nodeOf(first, "b/second")];
    expect(one).toMatchObject({ links: 2n });
    expect(one?.deviceId).not.toBe(0n);
    expect([two?.deviceId, two?.inode]).toEqual([one?.deviceId, one?.inode]);
    expect((await nodeOf(first, "b/alone"))?.deviceId).toBe(0n);
    // One folder is written anew, the other kept: both still tell of the same file.
    scene.write("b/new", "new");
    const second = await scene.backup();
    const [kept, anew] = [await nodeOf(second, "a/first"), await nodeOf(second, "b/second")];
    expect([anew?.deviceId, anew?.inode]).toEqual([kept?.deviceId, kept?.inode]);
  });

  it("stores files around every border of size, and a hole of 5 GiB without reading it", async () => {
    scene = await BackupScene.create();
    const sizes = [1, 512 * 1024, mebibyte, 8 * mebibyte, 16 * mebibyte, 128 * mebibyte];
    let stored = 0;
    for (const size of sizes)
      for (const difference of [-1, 0, 1]) {
        const file = scene.write(`${size}${difference < 0 ? "-" : difference > 0 ? "+" : ""}`, "");
        truncateSync(file, size + difference);
        // Little data and long holes: what is read is little too.
        const descriptor = openSync(file, "r+");
        const end = Math.max(0, size + difference - 3);
        writeSync(descriptor, "end".slice(0, size + difference), end);
        closeSync(descriptor);
        stored += size + difference;
      }
    const huge = scene.write("huge", "begin");
    truncateSync(huge, 5 * 1024 * mebibyte);
    const backup = await scene.backup();
    expect(backup.totalBytesProcessed).toBe(stored + 5 * 1024 * mebibyte);
    expect(backup.bytesRead).toBeLessThan(40 * mebibyte);
    expect(backup.dataAddedPacked).toBeLessThan(mebibyte);
    rmSync(huge);
    const repository = await scene.open(scene.store, true);
    await assertWhole(repository);
    const lines = await differences(await look(), backup.snapshot, scene.source);
    expect(lines.filter((line) => !line.includes("source: mtime"))).toEqual([
      `${scene.at("huge")}: only in the snapshot`,
    ]);
    expect((await nodeOf(backup, "huge"))?.size).toBe(5 * 1024 * mebibyte);
  });
});

describe("the paths of a backup", { timeout: 120_000 }, () => {
  it("may be several, files and folders, one in another, and lead through links", async () => {
    scene = await BackupScene.create();
    scene.write("a/1", "one");
    scene.write("a/sub/2", "two");
    scene.write("b/3", "three");
    scene.write("c/4", "four");
    symlinkSync("b", scene.at("way"));
    const paths = ["a", "a/sub", "c/4", "way/3", "way"].map((name) => bytes(scene.at(name)));
    const backup = await scene.backup({ paths });
    expect(backup).toMatchObject({ issues: 0, filesNew: 4 });
    expect((await nodeOf(backup, "a/sub/2"))?.size).toBe(3);
    expect((await nodeOf(backup, "c/4"))?.size).toBe(4);
    expect(await nodeOf(backup, "b")).toBeUndefined();
    // Named itself too, the link gives way to what lies below it.
    expect(await nodeOf(backup, "way/3")).toMatchObject({ size: 5 });
  });

  it("are each reported if they are missing, and a backup of nothing is refused", async () => {
    scene = await BackupScene.create();
    scene.write("a", "one");
    const paths = ["a", "gone", "not/there", "a/below"].map((name) => bytes(scene.at(name)));
    const backup = await scene.backup({ paths });
    expect(backup.named.map(({ path: place, code }) => [path.basename(place), code])).toEqual([
      ["below", "ENOTDIR"],
      ["gone", "ENOENT"],
      ["not", "ENOENT"],
    ]);
    expect(await nodeOf(backup, "a")).toMatchObject({ type: "file" });
    const missing = [bytes(scene.at("gone")), bytes(scene.at("a/below"))];
    await expect(scene.run({ paths: missing })).rejects.toMatchObject({ code: "SOURCE_MISSING" });
    const facts = await assertWhole(await scene.open(scene.store, true));
    expect(facts).toMatchObject({ snapshots: [backup.snapshot], locks: 0 });
  });

  it("may be relative", async () => {
    scene = await BackupScene.create();
    scene.write("a/1", "one");
    const before = process.cwd();
    process.chdir(scene.source);
    try {
      const inner = await scene.backup({ paths: [bytes("a")] });
      expect([...(await rootOf(await look(), inner.snapshot)).keys()]).toEqual(["a"]);
      const dot = await scene.backup({ paths: [bytes(".")] });
      expect([...(await rootOf(await look(), dot.snapshot)).keys()]).toEqual(["a"]);
      const climbing = await scene.backup({ paths: [bytes("../source/a")] });
      expect((await nodeOf(climbing, "a/1"))?.size).toBe(3);
      expect(dot.issues + inner.issues + climbing.issues).toBe(0);
    } finally {
      process.chdir(before);
    }
  });

  it("leave out our own folders, whatever path leads to them", async () => {
    scene = await BackupScene.create("local");
    symlinkSync(scene.folder, path.join(scene.folder, "around"));
    const told: string[] = [];
    const backup = await scene.backup({
      events: { omission: ({ path: place, reason }) => told.push(`${reason} ${place}`) },
      paths: [bytes(path.join(scene.folder, "around", "cache")), bytes(scene.folder)],
      selection: {
        patterns: [],
        markers: [],
        oneFileSystem: false,
        ownPlaces: [bytes(scene.repositoryFolder)],
      },
    });
    const repository = await look();
    const inFolder = async (name: string): Promise<Node | undefined> =>
      await nodeAt(repository, backup.snapshot, path.join(scene.folder, name));
    expect(await inFolder("source")).toMatchObject({ type: "dir" });
    expect(await inFolder("repository")).toBeUndefined();
    expect(told).toContain(`own-place ${scene.repositoryFolder}`);
    expect(told.every((line) => line.startsWith("own-place "))).toBe(true);
    const cache = await inFolder("cache");
    const names = new TextDecoder().decode(
      await repository.loadTree(cache?.subtree ?? new Uint8Array(), never),
    );
    expect(names).toContain("CACHEDIR.TAG");
    expect(names).not.toContain(repository.id);
  });
});

describe.runIf(isRoot)("a backup by somebody without rights", { timeout: 120_000 }, () => {
  async function openScene(): Promise<void> {
    scene = await BackupScene.create();
    mkdirSync(scene.cacheRoot);
    chmodSync(scene.folder, 0o755);
    for (const place of [scene.cacheRoot]) chownSync(place, 65_534, 65_534);
  }

  it("names what it can't read, and stores the rest", async () => {
    await openScene();
    scene.write("open/file", "open");
    scene.write("closed/file", "closed");
    scene.write("secret", "secret");
    chmodSync(scene.at("closed"), 0o700);
    chmodSync(scene.at("secret"), 0o600);
    const backup = await asNobody(async () => await scene.backup());
    const named = backup.named.map(({ path: place, code, during }) => [place, code, during]);
    expect(named.sort((a, b) => (String(a) < String(b) ? -1 : 1))).toEqual([
      [scene.at("closed"), "EACCES", "scan"],
      [scene.at("secret"), "EACCES", "archival"],
    ]);
    expect(await nodeOf(backup, "open/file")).toMatchObject({ size: 4 });
    expect(await nodeOf(backup, "secret")).toBeUndefined();
    chmodSync(scene.at("secret"), 0o644);
    const healed = await asNobody(async () => await scene.backup());
    expect(healed).toMatchObject({ issues: 1, bytesRead: 6 });
  });

  it("reaches what lies below folders that may be entered but not read", async () => {
    await openScene();
    scene.write("enter/inner/file", "file");
    scene.write("enter/named", "named");
    chmodSync(scene.at("enter"), 0o711);
    const paths = ["enter/inner", "enter/named"].map((name) => bytes(scene.at(name)));
    const backup = await asNobody(async () => await scene.backup({ paths }));
    expect(backup).toMatchObject({ issues: 0, filesNew: 2 });
    expect(await nodeOf(backup, "enter/inner/file")).toMatchObject({ size: 4 });
    expect(await nodeOf(backup, "enter/named")).toMatchObject({ size: 5 });
  });
});

describe("a source that is empty", { timeout: 120_000 }, () => {
  it("is no restore point if it was not empty before, unless that is asked for", async () => {
    scene = await BackupScene.create();
    scene.write("a/file", "content");
    scene.write("b/file", "content");
    const paths = ["a", "b"].map((name) => bytes(scene.at(name)));
    const first = await scene.backup({ paths });
    rmSync(scene.at("a/file"));
    const half = await scene.backup({ paths });
    expect(half.named.map(({ path: place, code }) => [place, code])).toEqual([
      [scene.at("a"), "EMPTY"],
    ]);
    rmSync(scene.at("b/file"));
    const [, only] = paths;
    await scene.backup({ paths: [only ?? bytes("")], hostName: "other" });
    await expect(scene.run({ paths, parent: first.snapshot })).rejects.toMatchObject({
      code: "SOURCE_EMPTY",
      exitCode: 1,
    });
    const forced = await scene.backup({ paths, parent: "none" });
    expect(forced).toMatchObject({ issues: 0, totalFilesProcessed: 0 });
    expect(await scene.backup({ paths })).toMatchObject({ issues: 0, parentId: forced.snapshot });
  });
});

describe.runIf(isRoot)("mounted file systems", { timeout: 120_000 }, () => {
  it("that go away in the middle leave no snapshot", async () => {
    scene = await BackupScene.create();
    execFileSync("mount", ["-t", "tmpfs", "none", scene.source]);
    let isMounted = true;
    const unmount = (): void => {
      if (isMounted) execFileSync("umount", ["-l", scene.source]);
      isMounted = false;
    };
    try {
      scene.write("large", noiseOf(40 * mebibyte, 1));
      const store = withSave(scene.store, async (handle, data, signal) => {
        if (handle.type === "data") unmount();
        await scene.store.save(handle, data, signal);
      });
      await expect(scene.run({ store, compression: "off" })).rejects.toMatchObject({
        code: "SOURCE_LOST",
      });
      const facts = await assertWhole(await scene.open(scene.store, true));
      expect(facts).toMatchObject({ snapshots: [], locks: 0, orphans: 0 });
    } finally {
      unmount();
    }
  });

  it("that lead into themselves, or are no data, are stored empty, which is told", async () => {
    scene = await BackupScene.create();
    scene.write("folder/file", "file");
    for (const name of ["folder/again", "processes"]) mkdirSync(scene.at(name));
    execFileSync("mount", ["--bind", scene.source, scene.at("folder/again")]);
    try {
      execFileSync("mount", ["-t", "proc", "none", scene.at("processes")]);
      const told: string[] = [];
      const backup = await scene.backup({
        events: { omission: ({ path: place, reason }) => told.push(`${reason} ${place}`) },
      });
      expect(told).toEqual([
        `loop ${scene.at("folder/again")}`,
        `pseudo-file-system ${scene.at("processes")}`,
      ]);
      expect(backup).toMatchObject({ filesNew: 1, issues: 0 });
      for (const name of ["folder/again", "processes"])
        expect(await nodeOf(backup, name)).toMatchObject({ type: "dir" });
    } finally {
      for (const name of ["processes", "folder/again"]) spawnSync("umount", [scene.at(name)]);
    }
  });

  it("are left empty with one-file-system, and hard links tell them apart without", async () => {
    scene = await BackupScene.create();
    mkdirSync(scene.at("mount"));
    scene.write("here", "here");
    execFileSync("mount", ["-t", "tmpfs", "none", scene.at("mount")]);
    try {
      scene.write("mount/inside", "inside");
      linkSync(scene.at("mount/inside"), scene.at("mount/link"));
      linkSync(scene.at("here"), scene.at("link"));
      const all = await scene.backup();
      expect(all.filesNew).toBe(4);
      const [inside, here] = [await nodeOf(all, "mount/inside"), await nodeOf(all, "here")];
      expect(inside?.deviceId).not.toBe(here?.deviceId);
      const one = await scene.backup({
        selection: { patterns: [], markers: [], oneFileSystem: true, ownPlaces: [] },
      });
      expect(await nodeOf(one, "mount")).toMatchObject({ type: "dir" });
      expect(await nodeOf(one, "mount/inside")).toBeUndefined();
      expect(one.issues).toBe(0);
    } finally {
      execFileSync("umount", [scene.at("mount")]);
    }
  });
});
