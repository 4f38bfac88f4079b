/** What one program backs up, another restores: contents and metadata come back, whoever does what. */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAwkwardTree } from "../awkward-tree.ts";
import { describeWithPeers } from "../peers.ts";
import { InteropScene } from "./interop-scene.ts";
import { anyOf, restoreLimits, snapshotLimits, tooLongForOlder } from "./known-limits.ts";

describeWithPeers("an awkward tree", ["restic014", "restic018"], (peers) => {
  let scene: InteropScene;
  let leftOut: readonly string[];
  const withoutTooLong = ["--exclude", `/**/source/${tooLongForOlder}`];

  beforeAll(() => {
    scene = new InteropScene(peers, "disk");
    leftOut = makeAwkwardTree(scene.source);
  });
  afterAll(() => scene.remove());

  it("has everything that a Linux file system holds", (context) => {
    if (leftOut.length > 0) context.skip(`left out of the tree: ${leftOut.join("; ")}`);
  });

  describe("that we backed up", () => {
    beforeAll(async () => scene.backUp("backstay", "ours"));

    it("is restored by us", async () => {
      const { backstay } = restoreLimits;
      expect(await scene.differencesAfterRestore("backstay", "ours", backstay, "--verify")).toEqual(
        [],
      );
    });

    it("is restored by restic 0.18", async () => {
      const limits = restoreLimits.restic018;
      expect(await scene.differencesAfterRestore("restic018", "ours", limits, "--verify")).toEqual(
        [],
      );
    });

    it("is restored by restic 0.14", async () => {
      const limits = restoreLimits.restic014;
      expect(
        await scene.differencesAfterRestore("restic014", "ours", limits, ...withoutTooLong),
      ).toEqual([]);
    });
  });

  it("that restic 0.18 backed up is restored by us", async () => {
    await scene.backUp("restic018", "newer");
    const limits = anyOf(snapshotLimits.restic018, restoreLimits.backstay);
    expect(await scene.differencesAfterRestore("backstay", "newer", limits)).toEqual([]);
  });

  it("that restic 0.14 backed up is restored by us", async () => {
    await scene.backUp("restic014", "older", ...withoutTooLong);
    const limits = anyOf(snapshotLimits.restic014, restoreLimits.backstay);
    expect(await scene.differencesAfterRestore("backstay", "older", limits)).toEqual([]);
  });

  it("in a repository of format 1 is restored by us, and we write nothing there", async () => {
    const restic = await scene.init("restic018", "format 1", "--repository-version", "1");
    await restic.succeed("backup", scene.source, "--pack-size", "64");
    const limits = anyOf(snapshotLimits.restic018, restoreLimits.backstay);
    expect(await scene.differencesAfterRestore("backstay", "format 1", limits)).toEqual([]);
    const before = filesOf(scene.at("format 1"));
    const refused = await scene.program("backstay", "format 1").run("backup", scene.source);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toContain("format 1 is read only");
    expect(filesOf(scene.at("format 1"))).toEqual(before);
  });
});

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
}
