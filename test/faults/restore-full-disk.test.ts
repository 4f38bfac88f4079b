/** A target that is too small: a clear error, nothing half written, and the same restore goes on when there is room. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { restoreSnapshot } from "../../agent/restore/restore.ts";
import { unfinishedMode } from "../../platform/ports/target-files.ts";
import { CraftedRepository } from "../repository/crafted-snapshot.ts";

const mebibyte = 1024 * 1024;

/** Mounts a small new file system; undefined where that is not allowed. */
function mountSmall(base: string): string | undefined {
  const image = path.join(base, "image");
  const mount = path.join(base, "mount");
  fs.mkdirSync(mount);
  fs.closeSync(fs.openSync(image, "w"));
  fs.truncateSync(image, 48 * mebibyte);
  try {
    execFileSync("mkfs.ext4", ["-q", "-F", "-N", "2000", image], { stdio: "pipe" });
    execFileSync("mount", ["-o", "loop", image, mount], { stdio: "pipe" });
    return mount;
  } catch {
    return undefined;
  }
}

describe("a restore to a disk that is full", () => {
  it("stops early, and goes on where it was when there is room", async (context) => {
    const base = fs.mkdtempSync(path.join(tmpdir(), "backstay-full-"));
    const mount = mountSmall(base);
    if (mount === undefined) {
      fs.rmSync(base, { recursive: true, force: true });
      context.skip("needs root, mkfs.ext4 and loop devices");
      return;
    }
    try {
      const filler = path.join(mount, "filler");
      fs.writeFileSync(filler, Buffer.alloc(20 * mebibyte, 1));
      const crafted = new CraftedRepository();
      const content = (i: number): Buffer => Buffer.alloc(300_000, `content ${i} `);
      const small = Array.from({ length: 60 }, (_, i) => crafted.file(`s${i}`, [content(i)]));
      const large = crafted.file(
        "large",
        Array.from({ length: 20 }, (_, i) => Buffer.alloc(mebibyte, `part ${i} `)),
      );
      const tree = crafted.tree([...small, large]);
      const repository = await crafted.open();
      const target = Buffer.from(path.join(mount, "target"));
      const signal = new AbortController().signal;
      const restore = () => restoreSnapshot({ repository, tree, target, threads: 2, signal });
      await expect(restore()).rejects.toMatchObject({ code: "RESTORE_TARGET_FULL" });
      let complete = 0;
      for (let i = 0; i < 60; i += 1) {
        const file = path.join(mount, "target", `s${i}`);
        const stat = fs.statSync(file, { throwIfNoEntry: false });
        if (stat === undefined || (stat.mode & 0o7777) === unfinishedMode) continue;
        expect(fs.readFileSync(file).equals(content(i))).toBe(true);
        complete += 300_000;
      }
      fs.rmSync(filler);
      const summary = await restore();
      expect(summary).toMatchObject({ errors: 0, entriesFailed: 0 });
      expect(summary.bytesRestored).toBeLessThanOrEqual(summary.bytesTotal - complete);
      const whole = fs.readFileSync(path.join(mount, "target", "large"));
      expect(whole.length).toBe(20 * mebibyte);
      expect(whole.subarray(7 * mebibyte, 7 * mebibyte + 6).toString()).toBe("part 7");
    } finally {
      execFileSync("umount", [mount]);
      fs.rmSync(base, { recursive: true, force: true });
    }
  });
});
