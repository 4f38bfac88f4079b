import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { seededRandom } from "../../storage/fault/seeded-random.ts";
import { BackupScene, type SceneBackup } from "../../test/backup/backup-scene.ts";
import { differences, nodeAt } from "../../test/backup/snapshot-compare.ts";
import { assertWhole } from "../../test/backup/whole-repository.ts";

const never = new AbortController().signal;
let scene: BackupScene;

afterEach(() => scene?.remove());

/** Text that differs for each seed. */
function textOf(seed: number, bytes: number): Uint8Array {
  const random = seededRandom(seed);
  return Uint8Array.from({ length: bytes }, () => 97 + Math.floor(random() * 26));
}

/** Fails unless the snapshot is what stands in the source, and the repository is whole. */
async function expectExact(backup: SceneBackup): Promise<void> {
  const repository = await scene.open(scene.store, true);
  await assertWhole(repository, { readsData: true });
  expect(await differences(repository, backup.snapshot, scene.source)).toEqual([]);
}

function writeTree(folders: number, filesEach: number): void {
  for (let folder = 0; folder < folders; folder += 1)
    for (let file = 0; file < filesEach; file += 1)
      scene.write(`d${folder}/f${file}`, `content ${folder} ${file}`);
}

describe("a backup of an unchanged source", { timeout: 120_000 }, () => {
  it("reads nothing and stores no blob, with one file or many", async () => {
    scene = await BackupScene.create();
    writeTree(20, 20);
    scene.write("large", textOf(1, 3_000_000));
    const first = await scene.backup();
    expect(first).toMatchObject({ filesNew: 401, filesUnmodified: 0, issues: 0 });
    await expectExact(first);
    const second = await scene.backup();
    expect(second).toMatchObject({
      filesNew: 0,
      filesChanged: 0,
      filesUnmodified: 401,
      dirsNew: 0,
      dataBlobs: 0,
      bytesRead: 0,
      parentId: first.snapshot,
      totalFilesProcessed: 401,
    });
    expect(second.treeBlobs).toBeLessThanOrEqual(4);
    await expectExact(second);
  });
});

describe("a backup after changes", { timeout: 120_000 }, () => {
  it("reads one changed file of many, and stores no other data", async () => {
    scene = await BackupScene.create();
    writeTree(30, 30);
    await scene.backup();
    scene.write("d7/f3", "something else");
    const second = await scene.backup();
    expect(second).toMatchObject({
      filesNew: 0,
      filesChanged: 1,
      filesUnmodified: 899,
      bytesRead: 14,
      dataBlobs: 1,
    });
    await expectExact(second);
  });

  it("follows entries that are new, gone, renamed, of another type or of other metadata", async () => {
    scene = await BackupScene.create();
    writeTree(3, 5);
    scene.write("d0/sub/deep", "deep");
    symlinkSync("f0", scene.at("d1/link"));
    await expectExact(await scene.backup());

    scene.write("d0/new", "new");
    rmSync(scene.at("d0/f1"));
    renameSync(scene.at("d0/f2"), scene.at("d0/z2"));
    renameSync(scene.at("d2"), scene.at("d2 moved"));
    rmSync(scene.at("d1/f1"));
    mkdirSync(scene.at("d1/f1"));
    rmSync(scene.at("d0/sub"), { recursive: true });
    symlinkSync("nowhere", scene.at("d0/sub"));
    rmSync(scene.at("d1/link"));
    scene.write("d1/link", "a file now");
    const second = await scene.backup();
    await expectExact(second);
    // A renamed file is another one of unknown content; what is in it is stored already.
    expect(second).toMatchObject({ filesNew: 7, filesChanged: 1, dataBlobs: 2 });

    chmodSync(scene.at("d0/f3"), 0o640);
    utimesSync(scene.at("d1/f3"), 1_000_000_000, -1);
    execFileSync("setfattr", ["-n", "user.color", "-v", "blue", scene.at("d1/f4")]);
    chmodSync(scene.at("d1/f1"), 0o700);
    const third = await scene.backup();
    await expectExact(third);
    expect(third).toMatchObject({ filesNew: 0, filesChanged: 3, dataBlobs: 0 });
    const repository = await scene.open();
    await repository.loadIndex(new AbortController().signal);
    const node = await nodeAt(repository, third.snapshot, scene.at("d1/f4"));
    expect(node?.attributes.map(({ value }) => Buffer.from(value).toString())).toEqual(["blue"]);

    execFileSync("setfattr", ["-x", "user.color", scene.at("d1/f4")]);
    rmSync(scene.at("d1/f3"));
    const fourth = await scene.backup();
    await repository.loadIndex(new AbortController().signal);
    const bare = await nodeAt(repository, fourth.snapshot, scene.at("d1/f4"));
    expect(bare?.attributes).toEqual([]);
    await expectExact(fourth);
  });
});

describe("a backup where clocks and storage can't be trusted", { timeout: 120_000 }, () => {
  it("compares with no restore point from the future, unless there is no other", async () => {
    scene = await BackupScene.create();
    scene.write("file", "file");
    const yearMs = 365 * 24 * 3600 * 1000;
    const future = await scene.backup({ timeMs: Date.now() + yearMs });
    const now = await scene.backup();
    expect(now).toMatchObject({ parentId: future.snapshot, filesUnmodified: 1 });
    scene.write("other", "other");
    const next = await scene.backup();
    expect(next).toMatchObject({ parentId: now.snapshot, filesNew: 1, filesUnmodified: 1 });
    const soon = await scene.backup({ timeMs: Date.now() + 60_000 });
    expect(await scene.backup()).toMatchObject({ parentId: soon.snapshot, filesUnmodified: 2 });
  });

  it("tells that the last restore point is gone, once, and goes on", async () => {
    scene = await BackupScene.create();
    scene.write("file", "file");
    const told: string[] = [];
    const events = { warning: ({ item }: { item: string }) => told.push(item) };
    const first = await scene.backup({ events });
    scene.write("more", "more");
    const second = await scene.backup({ events });
    expect(told).toEqual([]);
    await scene.store.remove({ type: "snapshots", name: second.snapshot }, never);
    const third = await scene.backup({ events });
    expect(told).toEqual([`snapshots/${second.snapshot}`]);
    expect(third).toMatchObject({ parentId: first.snapshot, filesNew: 1 });
    await expectExact(third);
    // An older one that goes away is nothing unusual.
    await scene.store.remove({ type: "snapshots", name: first.snapshot }, never);
    await scene.backup({ events });
    expect(told).toHaveLength(1);
  });
});
