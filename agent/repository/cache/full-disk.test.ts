/** The cache on a disk without room: the repository is read right, and nothing half is left. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it } from "vitest";
import { hashOf } from "../../../test/repository/crafted-packs.ts";
import { CraftedRepository } from "../../../test/repository/crafted-snapshot.ts";
import { Repository } from "../repository.ts";

const { signal } = new AbortController();

it("goes on without what it can't keep", async (context) => {
  const root = mkdtempSync(path.join(tmpdir(), "backstay-full-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", root], { stdio: "ignore" });
  } catch {
    rmSync(root, { recursive: true });
    context.skip("only root can mount a small file system");
  }
  try {
    const crafted = new CraftedRepository();
    // Random names do not compress, so that the tree pack has more than the disk.
    const names = Array.from({ length: 3000 }, (_, i) => Buffer.from(hashOf(Buffer.of(i, i >> 8))));
    const nodes = names.map((name) => crafted.file(name.toString("hex"), ["x"]));
    const tree = crafted.tree(nodes);
    await crafted.open();
    for (const filler of [0, 60_000]) {
      if (filler > 0)
        expect(() => writeFileSync(path.join(root, "filler"), Buffer.alloc(filler))).toThrow(
          "ENOSPC",
        );
      const password = Buffer.from("crafted");
      const repository = await Repository.open(crafted.store, {
        password,
        signal,
        cacheRoot: root,
      });
      await repository.loadIndex(signal);
      for (let round = 0; round < 3; round += 1)
        expect(hashOf(await repository.loadTree(tree, signal))).toEqual(tree);
      expect(hashOf(await repository.loadBlob(hashOf(Buffer.from("x")), signal))).toEqual(
        hashOf(Buffer.from("x")),
      );
    }
    const files = readdirSync(root, { recursive: true, encoding: "utf8" });
    expect(files.filter((file) => path.basename(file).startsWith("."))).toEqual([]);
    for (const file of files.filter((name) => name.includes("trees/")))
      expect(statSync(path.join(root, file)).size).toBe(0);
  } finally {
    execFileSync("umount", [root]);
    rmSync(root, { recursive: true });
  }
});
