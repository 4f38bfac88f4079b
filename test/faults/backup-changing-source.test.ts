/** Sources that change while they are backed up: each entry is named, and the rest is complete. */
import { chmodSync, chownSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { backUpInProcess, type EndedProcess } from "../backup/backup-process.ts";
import { BackupScene } from "../backup/backup-scene.ts";
import type { SourceChange } from "../backup/changing-source.ts";
import { nodeAt } from "../backup/snapshot-compare.ts";
import { assertWhole } from "../backup/whole-repository.ts";

const nobody = 65_534;
const never = new AbortController().signal;
const isRoot = process.getuid?.() === 0;
let scene: BackupScene;

afterEach(() => scene?.remove());

async function newScene(): Promise<void> {
  scene = await BackupScene.create("local");
  for (let i = 0; i < 200; i += 1) scene.write(`still/${i % 7}/f${i}`, `content ${i}`);
}

/** Gives everything to an account whose files can become unreadable. */
function giveAway(place: string): void {
  chownSync(place, nobody, nobody);
  for (const entry of readdirSync(place, { withFileTypes: true })) {
    const child = path.join(place, entry.name);
    if (entry.isDirectory()) giveAway(child);
    else if (entry.isFile()) chownSync(child, nobody, nobody);
  }
}

/** What must be true whatever changed: a snapshot that is whole, with everything that stood still. */
async function expectComplete(ended: EndedProcess): Promise<Map<string, string>> {
  expect(ended).toMatchObject({ code: 0, error: undefined });
  const { summary } = ended;
  if (summary?.snapshotId === undefined) throw new Error("there is no snapshot");
  await assertWhole(await scene.open(scene.store, true), { readsData: true });
  const repository = await scene.open(scene.store, true);
  await repository.loadIndex(never);
  for (const place of ["still/0/f0", "still/3/f199", "still/1/f1"])
    expect(await nodeAt(repository, summary.snapshotId, scene.at(place))).toMatchObject({
      type: "file",
    });
  expect(summary.issues).toBe(summary.named.length);
  return new Map(summary.named.map((issue) => [path.basename(issue.path), issue.code]));
}

const change = (
  name: string,
  moment: SourceChange["moment"],
  side: SourceChange["side"],
  action: SourceChange["action"],
  number = 1,
): SourceChange => ({ name, moment, side, action, number });

describe("entries that change while they are read", { timeout: 120_000 }, () => {
  it.runIf(isRoot)("are each named, and the rest is complete", async () => {
    await newScene();
    const large = Buffer.alloc(20 * 1024 * 1024, "large ");
    for (const name of ["grown", "cut", "gone", "linked", "foldered", "denied", "broken"]) {
      scene.write(`small/${name}-small`, "some content");
      scene.write(`large/${name}-large`, large);
    }
    mkdirSync(scene.at("folders"));
    for (const name of ["removed", "replaced", "closed"]) scene.write(`folders/${name}/file`, "x");
    for (const name of ["unlinked", "link to file"]) symlinkSync("small/cut-small", scene.at(name));
    scene.write("vanishing", "listed, but gone");
    giveAway(scene.folder);
    const changes: SourceChange[] = [
      change("vanishing", "look", "before", "remove"),
      change("removed", "enter", "before", "remove"),
      change("replaced", "enter", "before", "link"),
      change("closed", "enter", "before", "deny"),
      change("unlinked", "link", "before", "remove"),
      change("link to file", "link", "before", "file"),
    ];
    for (const size of ["small", "large"])
      changes.push(
        change(`grown-${size}`, "read", "after", "append"),
        change(`grown-${size}`, "read", "after", "append", 2),
        change(`cut-${size}`, "read", "after", "truncate"),
        change(`cut-${size}`, "stat", "after", "append"),
        change(`gone-${size}`, "open", "before", "remove"),
        change(`linked-${size}`, "open", "before", "link"),
        change(`foldered-${size}`, "open", "before", "folder"),
        change(`denied-${size}`, "open", "before", "deny"),
        change(`broken-${size}`, "read", "before", "fail"),
      );
    const ended = await backUpInProcess(scene, { changes, user: nobody });
    const named = await expectComplete(ended);
    const wanted: [string, string][] = ["small", "large"].flatMap((size) => [
      [`grown-${size}`, "CHANGED"],
      [`cut-${size}`, "CHANGED"],
      [`gone-${size}`, "ENOENT"],
      [`linked-${size}`, "ELOOP"],
      [`foldered-${size}`, "EINVAL"],
      [`denied-${size}`, "EACCES"],
      [`broken-${size}`, "EIO"],
    ]);
    expect(Object.fromEntries(named)).toEqual(
      Object.fromEntries([
        ...wanted,
        ["removed", "ENOENT"],
        ["replaced", expect.stringMatching(/^(ELOOP|ENOTDIR)$/)],
        ["closed", "EACCES"],
        ["unlinked", "ENOENT"],
        ["link to file", "EINVAL"],
      ]),
    );
    // The next run reads what was in doubt, and nothing else.
    for (const name of ["denied-small", "denied-large"])
      chmodSync(scene.at(`${name.slice(7)}/${name}`), 0o644);
    chmodSync(scene.at("folders/closed"), 0o755);
    const next = await backUpInProcess(scene, { user: nobody });
    expect((await expectComplete(next)).size).toBe(0);
    expect(next.summary).toMatchObject({ filesUnmodified: 200 });
  });
});

describe("a thread that fails", { timeout: 120_000 }, () => {
  it.each([
    ["of an error in reading", change("bad", "read", "before", "throw")],
    ["by ending while the scan waits for it", change("bad", "read", "before", "exit")],
    ["of an error in the scan", change("bad", "look", "before", "throw")],
    ["by ending in the middle of the scan", change("bad", "look", "before", "exit")],
  ])("%s ends the backup with a clear error, and the next one completes", async (_how, fault) => {
    await newScene();
    scene.write("bad", "the file that no one can read");
    const ended = await backUpInProcess(scene, { changes: [fault] });
    expect(ended).toMatchObject({ code: 1, error: "INTERNAL" });
    expect(ended.elapsedMs).toBeLessThan(30_000);
    const facts = await assertWhole(await scene.open(scene.store, true));
    expect(facts).toMatchObject({ snapshots: [], locks: 0 });
    await expectComplete(await backUpInProcess(scene));
  });
});
