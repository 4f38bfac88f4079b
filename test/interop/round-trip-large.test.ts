/**
 * Sizes that hurt: 20,000 entries in one folder, a file of over 4 GiB with next to no data, attributes of 60 KiB, and
 * paths beyond what Linux takes.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import { makeAwkwardTree } from "../awkward-tree.ts";
import { describeWithPeers } from "../peers.ts";
import { InteropScene } from "./interop-scene.ts";
import { anyOf, limit, restoreLimits, snapshotLimits, tooLongForOlder } from "./known-limits.ts";

const gibibyte = 1024 * 1024 * 1024;

/** restic names entries by their whole path, and so comes to nothing beyond 4095 bytes. */
const beyond = limit("presence", "beyond");
const withoutBeyond = ["--exclude", "/**/source/beyond"];

describeWithPeers("a large tree", ["restic014", "restic018"], (peers) => {
  let scene: InteropScene;
  let leftOut: readonly string[];

  beforeAll(async () => {
    scene = new InteropScene(peers);
    leftOut = makeAwkwardTree(scene.source, {
      wideEntries: 20_000,
      largestBytes: 4 * gibibyte + 4096,
      attributeBytes: 60 * 1024,
      isBeyondPaths: true,
    });
    await scene.backUp("backstay", "ours");
  });
  afterAll(() => scene.remove());

  it("has everything that a file system in memory holds", (context) => {
    if (leftOut.length > 0) context.skip(`left out of the tree: ${leftOut.join("; ")}`);
  });

  it("is found whole by restic and by us, with nothing to rewrite", async () => {
    const restic = scene.program("restic018", "ours");
    expect(await restic.output("check", "--read-data")).toContain("no errors were found");
    const rewritten = await restic.output("rewrite", "--exclude", "nothing", "--dry-run");
    expect(rewritten).toContain("no snapshots would be modified");
    const ours = await scene.program("backstay", "ours").output("check", "--read-data");
    expect(ours).toContain("no errors were found");
  });

  it("comes back from us to us", async () => {
    const limits = restoreLimits.backstay;
    expect(await scene.differencesAfterRestore("backstay", "ours", limits)).toEqual([]);
  });

  it("comes back from us to restic 0.18", async () => {
    const limits = anyOf(restoreLimits.restic018, beyond);
    expect(
      await scene.differencesAfterRestore("restic018", "ours", limits, ...withoutBeyond),
    ).toEqual([]);
  });

  it("comes back from us to restic 0.14, but for the sparse file", async () => {
    const limits = anyOf(restoreLimits.restic014, beyond, limit("presence", "sparse/largest"));
    const without = [tooLongForOlder, "sparse/largest"].flatMap((name) => [
      "--exclude",
      `/**/source/${name}`,
    ]);
    expect(
      await scene.differencesAfterRestore(
        "restic014",
        "ours",
        limits,
        ...withoutBeyond,
        ...without,
      ),
    ).toEqual([]);
  });

  it("comes back from restic 0.18 to us", async () => {
    await scene.backUp("restic018", "theirs", ...withoutBeyond);
    const limits = anyOf(snapshotLimits.restic018, restoreLimits.backstay, beyond);
    expect(await scene.differencesAfterRestore("backstay", "theirs", limits)).toEqual([]);
  });
});
