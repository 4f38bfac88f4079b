/** Sources of extreme shape: very many entries in one folder, and folders far deeper than any path may be long. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { decodeSnapshot } from "../../agent/repository/snapshot/snapshot-codec.ts";
import { backUpInProcess } from "../backup/backup-process.ts";
import { BackupScene } from "../backup/backup-scene.ts";
import { folderOf, nodeAt } from "../backup/snapshot-compare.ts";
import { assertWhole } from "../backup/whole-repository.ts";

const never = new AbortController().signal;
const wide = Number(process.env["BACKSTAY_WIDE"] ?? 100_000);
const deep = 2000;
let scene: BackupScene;

afterEach(() => {
  // Node can't remove what lies too deep.
  execFileSync("rm", ["-rf", scene.source]);
  scene.remove();
});

describe("a folder of very many files", { timeout: 600_000 }, () => {
  it(`(${wide}) is backed up, compared and followed`, async () => {
    scene = await BackupScene.create();
    mkdirSync(scene.at("wide"));
    const nameOf = (i: number): string => scene.at(`wide/file number ${i}`);
    for (let i = 0; i < wide; i += 1) writeFileSync(nameOf(i), `content of ${i}`);
    const first = await scene.backup();
    expect(first).toMatchObject({ filesNew: wide, issues: 0, dataBlobs: wide });
    const second = await scene.backup();
    expect(second).toMatchObject({ filesUnmodified: wide, bytesRead: 0, dataBlobs: 0 });
    writeFileSync(nameOf(777), "other");
    rmSync(nameOf(3));
    const third = await scene.backup();
    expect(third).toMatchObject({ filesUnmodified: wide - 2, filesChanged: 1, bytesRead: 5 });
    const repository = await scene.open(scene.store, true);
    await assertWhole(repository);
    const node = await nodeAt(repository, third.snapshot, scene.at("wide"));
    const folder = await folderOf(repository, node?.subtree ?? new Uint8Array());
    expect(folder.size).toBe(wide - 1);
    expect(folder.get("file number 777")?.size).toBe(5);
  });
});

describe("a process that may open few files", { timeout: 600_000 }, () => {
  it("backs up more folders than that, and leaves none out", async () => {
    scene = await BackupScene.create("local");
    for (let i = 0; i < 700; i += 1) scene.write(`folder ${i}/file`, `content of ${i}`);
    const ended = await backUpInProcess(scene, { openFiles: 160 });
    expect(ended).toMatchObject({ code: 0, summary: { filesNew: 700, issues: 0 } });
    await assertWhole(await scene.open(scene.store, true));
  });
});

describe("folders in folders", { timeout: 600_000 }, () => {
  it(`(${deep} deep) are backed up although no path reaches the lowest`, async () => {
    scene = await BackupScene.create();
    const before = process.cwd();
    process.chdir(scene.source);
    try {
      for (let level = 0; level < deep; level += 1) {
        mkdirSync(`level ${level}`);
        if (level % 100 === 99) writeFileSync("file", `at ${level}`);
        process.chdir(`level ${level}`);
      }
      writeFileSync("lowest", "found");
    } finally {
      process.chdir(before);
    }
    const first = await scene.backup();
    expect(first).toMatchObject({ filesNew: deep / 100 + 1, issues: 0 });
    const second = await scene.backup();
    expect(second).toMatchObject({ filesUnmodified: deep / 100 + 1, bytesRead: 0, dataBlobs: 0 });
    const repository = await scene.open(scene.store, true);
    await assertWhole(repository);
    const json = await repository.loadUnpacked("snapshots", second.snapshot, never);
    let folder = await folderOf(repository, decodeSnapshot(json).tree);
    for (const part of scene.source.split("/").filter((name) => name !== ""))
      folder = await folderOf(repository, folder.get(part)?.subtree ?? new Uint8Array());
    for (let level = 0; level < deep; level += 1) {
      if (level % 100 === 99) expect(folder.get("file")?.size).toBe(`at ${level}`.length);
      folder = await folderOf(
        repository,
        folder.get(`level ${level}`)?.subtree ?? new Uint8Array(),
      );
    }
    expect(folder.get("lowest")?.size).toBe(5);
  });
});
