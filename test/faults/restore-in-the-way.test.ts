/** Things in the target that resist: immutable files, running programs, mounts. */
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { restoreSnapshot } from "../../agent/restore/restore.ts";
import type { RestoreSummary } from "../../agent/restore/restore-summary.ts";
import { CraftedRepository } from "../repository/crafted-snapshot.ts";

const asRoot = process.platform === "linux" && process.geteuid?.() === 0;

let base: string;
let target: string;
let crafted: CraftedRepository;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(tmpdir(), "backstay-way-"));
  target = path.join(base, "target");
  fs.mkdirSync(target);
  crafted = new CraftedRepository();
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

async function restore(tree: Uint8Array, deletes = false): Promise<RestoreSummary> {
  return await restoreSnapshot({
    repository: await crafted.open(),
    tree,
    target: Buffer.from(target),
    delete: deletes,
    deleteConfirmed: deletes,
    signal: new AbortController().signal,
  });
}

function tryRun(program: string, ...args: string[]): boolean {
  try {
    execFileSync(program, args, { stdio: "pipe" });
    return true;
  } catch {
    return false;
  }
}

describe.runIf(asRoot)("a restore over what resists", () => {
  it("reports an immutable file, leaves it as it is, and restores the rest", async (context) => {
    const file = path.join(target, "immutable");
    fs.writeFileSync(file, "mine");
    if (!tryRun("chattr", "+i", file)) context.skip("this file system knows no immutable files");
    try {
      const tree = crafted.tree([
        crafted.file("immutable", ["theirs"]),
        crafted.file("other", ["theirs"]),
      ]);
      const summary = await restore(tree);
      expect(summary).toMatchObject({ errors: 1, entriesRestored: 1, entriesFailed: 1 });
      expect(summary.issues[0]).toMatchObject({ path: "immutable", severity: "error" });
      expect(fs.readFileSync(file, "utf8")).toBe("mine");
      expect(fs.readFileSync(path.join(target, "other"), "utf8")).toBe("theirs");
    } finally {
      tryRun("chattr", "-i", file);
    }
  });

  it("replaces a program that is running, which goes on with its old content", async () => {
    const file = path.join(target, "program");
    fs.copyFileSync("/bin/sleep", file);
    fs.chmodSync(file, 0o755);
    const child = spawn(file, ["30"]);
    await new Promise((resolve) => child.once("spawn", resolve));
    try {
      const many = Array.from({ length: 3 }, (_, i) => Buffer.alloc(100_000, `${i}`));
      const tree = crafted.tree([crafted.file("program", many, { permissions: 0o755 })]);
      const summary = await restore(tree);
      expect(summary).toMatchObject({ errors: 0, entriesRestored: 1 });
      expect(fs.readFileSync(file).equals(Buffer.concat(many))).toBe(true);
      expect(child.exitCode).toBeNull();
    } finally {
      child.kill();
    }
  });

  it("deletes nothing that is mounted below the target", async (context) => {
    const mount = path.join(target, "extra", "mounted");
    fs.mkdirSync(mount, { recursive: true });
    if (!tryRun("mount", "-t", "tmpfs", "none", mount)) context.skip("mounting is not allowed");
    try {
      fs.writeFileSync(path.join(mount, "precious"), "");
      const summary = await restore(crafted.tree([crafted.file("f", ["x"])]), true);
      expect(summary.errors).toBe(1);
      expect(summary.issues[0].text).toContain("mounted");
      expect(fs.existsSync(path.join(mount, "precious"))).toBe(true);
    } finally {
      tryRun("umount", mount);
    }
  });
});
