/** Incremental backups across programs: ours upon restic's snapshot, and restic's upon ours. */
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync } from "node:fs";
import { afterEach, expect, it } from "vitest";
import { BackupScene, scenePassword } from "../backup/backup-scene.ts";
import { differences } from "../backup/snapshot-compare.ts";
import { describeWithPeers } from "../peers.ts";

let scene: BackupScene;

afterEach(() => scene?.remove());

function fill(): void {
  for (let i = 0; i < 40; i += 1) scene.write(`d${i % 4}/f${i}`, `content ${i}`);
  scene.write("large", Buffer.alloc(3_000_000, "large "));
  scene.write("empty", "");
  scene.write('d0/café \n"quoted"', "odd name");
  mkdirSync(scene.at("folder"));
  symlinkSync("d0/f0", scene.at("link"));
  linkSync(scene.at("d0/f0"), scene.at("d1/hard"));
  execFileSync("mkfifo", [scene.at("fifo")]);
  execFileSync("setfattr", ["-n", "user.color", "-v", "blue", scene.at("d1/f1")]);
  execFileSync("setfattr", ["-n", "user.color", "-v", "red", scene.at("folder")]);
}

/** Runs restic on the scene's repository. */
function run(restic: string, ...args: readonly string[]): string {
  return execFileSync(restic, ["-r", scene.repositoryFolder, "--no-cache", ...args], {
    encoding: "utf8",
    env: { ...process.env, RESTIC_PASSWORD: scenePassword },
  });
}

/** The summary of a backup by restic, as restic's --json has it. */
function backUp(restic: string): Record<string, unknown> {
  const lines = run(restic, "backup", "--json", "--host", "scene", scene.source).split("\n");
  const summary = lines.find((line) => line.includes('"message_type":"summary"'));
  return JSON.parse(summary ?? "{}") as Record<string, unknown>;
}

describeWithPeers("with restic 0.18", ["restic018"], ({ restic018 }) => {
  it("our backup upon restic's reads no file that is unchanged, and restic finds no fault", async () => {
    scene = await BackupScene.create("local");
    fill();
    backUp(restic018);
    const unchanged = await scene.backup();
    expect(unchanged).toMatchObject({
      filesNew: 0,
      filesChanged: 0,
      filesUnmodified: 44,
      bytesRead: 0,
      dataBlobs: 0,
      issues: 0,
    });
    scene.write("d2/f2", "changed");
    const changed = await scene.backup();
    expect(changed).toMatchObject({ filesChanged: 1, bytesRead: 7 });
    const repository = await scene.open(scene.store, true);
    await repository.loadIndex(new AbortController().signal);
    for (const { snapshot } of [changed])
      expect(await differences(repository, snapshot, scene.source)).toEqual([]);
    expect(run(restic018, "check", "--read-data")).toContain("no errors were found");
  });

  it("restic's backup upon ours reads no file, and stores no data", async () => {
    scene = await BackupScene.create("local");
    fill();
    const ours = await scene.backup();
    const theirs = backUp(restic018);
    expect(theirs).toMatchObject({
      files_new: 0,
      files_changed: 0,
      files_unmodified: 44,
      data_blobs: 0,
    });
    expect(run(restic018, "snapshots", "--json", "latest")).toContain(
      `"parent":"${ours.snapshot}"`,
    );
    expect(run(restic018, "check", "--read-data")).toContain("no errors were found");
    // And ours again upon that.
    const again = await scene.backup();
    expect(again).toMatchObject({ filesUnmodified: 44, bytesRead: 0, dataBlobs: 0 });
  });

  it("restic sees our incremental backup as one, with the same trees where nothing changed", async () => {
    scene = await BackupScene.create("local");
    fill();
    const first = await scene.backup();
    scene.write("d3/new", "new");
    const second = await scene.backup();
    const difference = run(restic018, "diff", "--json", first.snapshot, second.snapshot);
    const changes = difference
      .split("\n")
      .filter((line) => line.includes('"change"'))
      .map((line) => JSON.parse(line) as { path: string; modifier: string });
    expect(changes.filter(({ modifier }) => modifier === "+").map(({ path }) => path)).toEqual([
      scene.at("d3/new"),
    ]);
    expect(changes.filter(({ modifier }) => modifier === "-" || modifier === "M")).toEqual([]);
  });
});
