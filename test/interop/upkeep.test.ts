/** restic's maintenance finds nothing to mend in what we wrote, and leaves it readable by us when it changes something. */
import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeAwkwardTree } from "../awkward-tree.ts";
import { describeWithPeers } from "../peers.ts";
import type { Outcome } from "../programs.ts";
import { InteropScene, type ProgramName } from "./interop-scene.ts";
import { restoreLimits } from "./known-limits.ts";

/** Words with which a check says that something is not as it should be, errors or mere hints. */
const complaints =
  /error(?!s were found)|warn|hint|orphan|unreferenced|not referenced|mixed|duplicate/i;

/** An index file. */
interface Index {
  readonly packs: readonly { readonly id: string; readonly blobs: readonly object[] }[];
}

describeWithPeers("a repository of ours", ["restic014", "restic018"], (peers) => {
  let scene: InteropScene;

  beforeAll(async () => {
    scene = new InteropScene(peers);
    makeAwkwardTree(scene.source, { wideEntries: 200 });
    await scene.backUp("backstay", "ours", "--tag", "first");
    // A second snapshot shares most with the first, and adds to packs and index files.
    writeFileSync(path.join(scene.source, "added"), "later".repeat(300_000));
    await scene.program("backstay", "ours").succeed("backup", scene.source, "--tag", "second");
  });
  afterAll(() => scene.remove());

  /** All files of a kind, by their paths. */
  function filesOf(kind: string, repository = "ours"): string[] {
    const names = readdirSync(scene.at(repository, kind), { recursive: true, encoding: "utf8" });
    return names.filter((name) => path.basename(name).length === 64).sort();
  }

  /** Lines of all that the index says about blobs, sorted. */
  async function indexEntries(): Promise<string[]> {
    const entries: string[] = [];
    for (const id of filesOf("index")) {
      const { packs } = JSON.parse((await restic("restic018", "cat", "index", id)).stdout) as Index;
      for (const { id: pack, blobs } of packs)
        for (const blob of blobs) entries.push(`${pack} ${JSON.stringify(blob)}`);
    }
    return entries.sort();
  }

  function restic(name: ProgramName, ...args: string[]): Promise<Outcome> {
    return scene.program(name, "ours").succeed(...args);
  }

  /** We find it whole, and the last snapshot comes back as the source is. */
  async function expectGood(repository = "ours"): Promise<void> {
    const backstay = scene.program("backstay", repository);
    expect(await backstay.output("check", "--read-data")).toContain("no errors were found");
    const limits = restoreLimits.backstay;
    expect(await scene.differencesAfterRestore("backstay", repository, limits)).toEqual([]);
  }

  describe.each(["restic014", "restic018"] as const)("by %s", (name) => {
    it("is found whole, without a complaint", async () => {
      const { stdout, stderr } = await restic(name, "check", "--read-data");
      expect(stdout).toContain("no errors were found");
      expect(`${stdout}${stderr}`).not.toMatch(complaints);
    });

    it("is pruned without removing or repacking anything", async () => {
      const before = { data: filesOf("data"), index: filesOf("index") };
      const dry = await restic(name, "prune", "--dry-run", "--max-unused", "0");
      for (const line of ["to repack", "this removes", "to delete", "total prune"])
        expect(dry.stdout).toMatch(new RegExp(`^${line}: +0 blobs / 0 B$`, "m"));
      await restic(name, "prune", "--max-unused", "0");
      expect({ data: filesOf("data"), index: filesOf("index") }).toEqual(before);
    });
  });

  it("has nothing that restic would rewrite", async () => {
    const rewritten = await restic(
      "restic018",
      "rewrite",
      "--exclude",
      "nothing-matches-this",
      "--dry-run",
    );
    expect(rewritten.stdout).toContain("no snapshots would be modified");
    const repaired = await restic("restic018", "repair", "snapshots", "--dry-run");
    expect(repaired.stdout).toContain("no snapshots would be modified");
    expect(filesOf("snapshots")).toHaveLength(2);
  });

  it("gets the same index from restic, which reads the headers of all packs", async () => {
    const before = await indexEntries();
    await restic("restic018", "repair", "index", "--read-all-packs");
    expect(await indexEntries()).toEqual(before);
  });

  it("can be read by us after restic changed its tags", async () => {
    await restic("restic018", "tag", "--add", "by restic", "--tag", "first");
    await restic("restic014", "tag", "--add", "by older restic", "--tag", "second");
    const listed = await scene.program("backstay", "ours").messages("snapshots");
    expect(listed.map(({ tags }) => tags)).toEqual([
      ["first", "by restic"],
      ["second", "by older restic"],
    ]);
    for (const { original } of listed) expect(original).toMatch(/^[0-9a-f]{64}$/);
    expect(await scene.program("backstay", "ours").output("check")).toContain("no errors");
  });

  it("can be read by us where restic copied it to", async () => {
    const copy = await scene.init("restic018", "copy");
    const from = ["--from-repo", scene.at("ours")];
    const source = { RESTIC_FROM_PASSWORD: scene.password };
    await copy.with({ environment: scene.environment(source) }).succeed("copy", ...from);
    await expectGood("copy");
  });

  it("can be read by us after restic took a part away and repacked the rest", async () => {
    const before = filesOf("data").length;
    await restic("restic018", "rewrite", "--exclude", "wide", "--forget", "--tag", "first");
    await restic(
      "restic014",
      "forget",
      "--keep-last",
      "1",
      "--group-by",
      "",
      "--prune",
      "--max-unused",
      "0",
    );
    expect(filesOf("snapshots")).toHaveLength(1);
    expect(filesOf("data").length).toBeLessThanOrEqual(before);
    await expectGood();
    await restic(
      "restic018",
      "prune",
      "--repack-uncompressed",
      "--repack-cacheable-only=false",
      "--max-unused",
      "0",
    );
    await expectGood();
    const { stdout, stderr } = await restic("restic018", "check", "--read-data");
    expect(`${stdout}${stderr}`).not.toMatch(complaints);
  });
});
