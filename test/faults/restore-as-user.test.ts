/** A restore by an ordinary user, of a snapshot that root made. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RestoreSummary } from "../../agent/restore/restore-summary.ts";
import { openStore } from "../../storage/open-store.ts";
import { CraftedRepository, craftNode } from "../repository/crafted-snapshot.ts";

const program = fileURLToPath(new URL("restore-child.ts", import.meta.url));
const asRoot = process.platform === "linux" && process.geteuid?.() === 0;
const nobody = 65534;

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(tmpdir(), "backstay-user-"));
  fs.chmodSync(base, 0o777);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function openToAll(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true }))
    fs.chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  fs.chmodSync(folder, 0o755);
}

describe.runIf(asRoot)("a restore by an ordinary user", () => {
  it("owns what it restores, sets no setuid bit of others, and repeats itself without change", async () => {
    const repository = path.join(base, "repository");
    const crafted = new CraftedRepository(openStore(repository));
    const tree = crafted.tree([
      crafted.file("tool", ["#!"], { permissions: 0o4755, uid: 0, gid: 0 }),
      crafted.file("secret", ["secret"], { permissions: 0, uid: 1, gid: 1 }),
      crafted.file("many", ["two ", "blobs"], { permissions: 0o400 }),
      crafted.directory("closed", [crafted.file("in", ["x"])], { permissions: 0o500 }),
      craftNode({ name: "null", type: "chardev", device: 259n }),
    ]);
    await crafted.open();
    openToAll(repository);
    const target = path.join(base, "target");
    const run = (): RestoreSummary => {
      const args = [program, repository, Buffer.from(tree).toString("hex"), target, "always"];
      const { stdout, stderr } = spawnSync(process.execPath, args, { uid: nobody, gid: nobody });
      expect(stderr.toString()).toBe("");
      return JSON.parse(stdout.toString().split("\n")[1]) as RestoreSummary;
    };
    const first = run();
    expect(first.issues.map(({ path: at }) => at)).toEqual(
      expect.arrayContaining(["tool", "null"]),
    );
    expect(first).toMatchObject({ entriesRestored: 5, entriesFailed: 1, errors: 1, warnings: 2 });
    const mode = (name: string): number => fs.statSync(path.join(target, name)).mode & 0o7777;
    expect(fs.statSync(path.join(target, "tool"))).toMatchObject({ uid: nobody, gid: nobody });
    expect([mode("tool"), mode("secret"), mode("many"), mode("closed")]).toEqual([
      0o755, 0, 0o400, 0o500,
    ]);
    expect(fs.readFileSync(path.join(target, "closed", "in"), "utf8")).toBe("x");
    const second = run();
    expect(second).toMatchObject({ entriesRestored: 0, entriesUnchanged: 5, bytesRestored: 0 });
    expect([mode("secret"), mode("closed")]).toEqual([0, 0o500]);
  });
});
