/** Disks that are full: of the repository, which ends the backup clearly, and of the cache, which ends nothing. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it, type TestContext } from "vitest";
import { Repository } from "../../agent/repository/repository.ts";
import { LocalStore } from "../../storage/local/local-store.ts";
import { BackupScene, scenePassword } from "../backup/backup-scene.ts";
import { noiseOf } from "../backup/noise.ts";
import { differences } from "../backup/snapshot-compare.ts";
import { assertWhole } from "../backup/whole-repository.ts";

const mebibyte = 1024 * 1024;
const never = new AbortController().signal;
const mounts: string[] = [];
let scene: BackupScene;

afterEach(() => {
  for (const mount of mounts.splice(0)) execFileSync("umount", [mount]);
  scene?.remove();
});

/** Mounts a file system of so many bytes; skips the test where that is not allowed. */
function mountSmall(context: TestContext, place: string, bytes: number): void {
  mkdirSync(place, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "none", place], { stdio: "pipe" });
    mounts.push(place);
  } catch {
    context.skip("needs root and tmpfs");
  }
}

/** Leaves so many bytes free. */
function fillUp(place: string, freeBytes: number): void {
  const { bavail, bsize } = statfsSync(place);
  writeFileSync(
    path.join(place, "filler"),
    new Uint8Array(Math.max(0, bavail * bsize - freeBytes)),
  );
}

describe("a repository on a disk that is full", { timeout: 120_000 }, () => {
  it("says so, keeps its snapshots, and takes the backup when there is room", async (context) => {
    scene = await BackupScene.create("local");
    const place = path.join(scene.folder, "disk");
    mountSmall(context, place, 64 * mebibyte);
    const store = new LocalStore(path.join(place, "repository"));
    const password = new TextEncoder().encode(scenePassword);
    await Repository.init(store, { password, signal: never, scrypt: { N: 16, r: 1, p: 1 } });
    scene.write("small", "small");
    const first = await scene.backup({ store });
    for (let i = 0; i < 10; i += 1) scene.write(`noise/${i}`, noiseOf(10 * mebibyte, i));
    await expect(scene.run({ store })).rejects.toMatchObject({ code: "STORE_FULL" });
    const full = await assertWhole(await scene.open(store, true), { readsData: true });
    expect(full).toMatchObject({ snapshots: [first.snapshot] });
    expect(full.packs).toBeGreaterThan(1);
    // What had arrived counts: half of the source fits now, and most of it is there already.
    for (let i = 4; i < 10; i += 1) rmSync(scene.at(`noise/${i}`));
    const next = await scene.backup({ store });
    const repository = await scene.open(store, true);
    const facts = await assertWhole(repository, { readsData: true });
    expect(facts).toMatchObject({ snapshots: [first.snapshot, next.snapshot], locks: 0 });
    expect(await differences(repository, next.snapshot, scene.source)).toEqual([]);
  });
});

describe("a cache on a disk that is full", { timeout: 120_000 }, () => {
  it.each([
    ["from the start", 200, 0],
    ["after its folders", 200, 64 * 1024],
    ["in the middle of the catalog", 5000, 700 * 1024],
  ])("%s costs time, but no backup", async (_when, files, freeBytes) => {
    scene = await BackupScene.create("local");
    for (let i = 0; i < files; i += 1) scene.write(`d${i % 20}/f${i}`, `content ${i}`);
    mkdirSync(scene.cacheRoot);
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", scene.cacheRoot]);
    } catch {
      return;
    }
    mounts.push(scene.cacheRoot);
    fillUp(scene.cacheRoot, freeBytes);
    const first = await scene.backup();
    expect(first).toMatchObject({ filesNew: files, issues: 0 });
    const second = await scene.backup();
    expect(second).toMatchObject({ issues: 0, dataBlobs: 0 });
    const repository = await scene.open(scene.store, true);
    await assertWhole(repository);
    if (files < 1000)
      expect(await differences(repository, second.snapshot, scene.source)).toEqual([]);
  });
});
