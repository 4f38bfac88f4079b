/** The Linux adapter of the target port: the contract, and what only Linux has. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { TargetHandle } from "../ports/target-files.ts";
import { describeTargetFiles } from "../target-files-contract.ts";
import { LinuxTargetFiles } from "./target-files.ts";
import { BeneathOpener } from "./target-open-beneath.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const onLinux = process.platform === "linux";
const asRoot = onLinux && process.geteuid?.() === 0;

if (onLinux) describeTargetFiles("LinuxTargetFiles", () => new LinuxTargetFiles());

describe.runIf(onLinux)("LinuxTargetFiles", () => {
  let files: LinuxTargetFiles;
  let base: string;
  let root: TargetHandle;
  beforeEach(() => {
    // Not under /tmp where that is a tmpfs: attributes and holes are wanted.
    base = fs.mkdtempSync(join(tmpdir(), "backstay-linux-target-"));
    files = new LinuxTargetFiles();
    root = files.openRoot(bytes(base), false);
  });
  afterEach(() => {
    files.close(root);
    fs.rmSync(base, { recursive: true, force: true });
  });

  it("sets, lists, reads and removes attributes of files, directories, symlinks and fifos", () => {
    files.close(files.createFile(root, bytes("file")));
    files.createDirectory(root, bytes("dir"));
    files.createSymlink(root, bytes("link"), bytes("file"));
    files.createSpecial(root, bytes("fifo"), 0o010600, 0n);
    const handles: [TargetHandle, string][] = [
      [files.openFile(root, bytes("file"), "write"), "user.comment"],
      [files.openDirectory(root, bytes("dir")), "user.comment"],
      [files.openEntry(root, bytes("file")), "user.other"],
    ];
    if (asRoot) {
      handles.push([files.openEntry(root, bytes("link")), "trusted.comment"]);
      handles.push([files.openEntry(root, bytes("fifo")), "trusted.comment"]);
    }
    for (const [handle, name] of handles) {
      const value = Uint8Array.from({ length: 300 }, (_, i) => i);
      files.setAttribute(handle, bytes(name), value);
      files.setAttribute(handle, bytes(`${name}.empty`), new Uint8Array(0));
      const names = files.listAttributes(handle).map((raw) => Buffer.from(raw).toString());
      expect(names).toEqual(expect.arrayContaining([name, `${name}.empty`]));
      expect(files.getAttribute(handle, bytes(name))).toEqual(value);
      expect(files.getAttribute(handle, bytes(`${name}.empty`))).toHaveLength(0);
      files.removeAttribute(handle, bytes(name));
      files.removeAttribute(handle, bytes(`${name}.empty`));
      expect(files.listAttributes(handle).join()).not.toContain(name);
      files.close(handle);
    }
    if (asRoot) {
      const file = files.openEntry(root, bytes("file"));
      expect(files.listAttributes(file).map((raw) => Buffer.from(raw).toString())).toEqual([]);
      files.close(file);
    }
  });

  it("sets mode, owner and times of a fifo that nobody opens", () => {
    files.createSpecial(root, bytes("fifo"), 0o010600, 0n);
    const entry = files.openEntry(root, bytes("fifo"));
    files.setMode(entry, 0o622);
    files.setTimes(entry, -5, 999_999_999, -2, 1);
    files.close(entry);
    const stats = fs.lstatSync(join(base, "fifo"), { bigint: true });
    expect(stats.isFIFO()).toBe(true);
    expect(Number(stats.mode) & 0o777).toBe(0o622);
    expect(stats.mtimeNs).toBe(-1_999_999_999n);
    expect(stats.atimeNs).toBe(-4_000_000_001n);
  });

  it("never waits for a fifo, and does not take it for a file", () => {
    files.createSpecial(root, bytes("fifo"), 0o010600, 0n);
    expect(() => files.openFile(root, bytes("fifo"), "read")).toThrow("EINVAL");
    expect(() => files.openFile(root, bytes("fifo"), "write")).toThrow(/ENXIO|EINVAL/);
  });

  it.runIf(asRoot)("makes device nodes with large numbers", () => {
    const device = (0x12n << 8n) | 0x34n | (0x5n << 20n);
    files.createSpecial(root, bytes("dev"), 0o020640, device);
    const stats = fs.lstatSync(join(base, "dev"), { bigint: true });
    expect(stats.isCharacterDevice()).toBe(true);
    expect(stats.rdev).toBe(device);
  });

  it("walks by components where the kernel has no openat2", () => {
    fs.mkdirSync(join(base, "a", "b"), { recursive: true });
    fs.symlinkSync("b", join(base, "a", "link"));
    const opener = new BeneathOpener(true);
    files.close(opener.open(root, bytes("a/b")));
    expect(() => opener.open(root, bytes("a/link"))).toThrow(/ENOTDIR|ELOOP/);
    expect(() => opener.open(root, bytes("a/.."))).toThrow("EXDEV");
    expect(() => opener.open(root, bytes("a/absent/b"))).toThrow("ENOENT");
  });

  it("leaves no descriptor behind", () => {
    const open = (): number => fs.readdirSync("/proc/self/fd").length;
    fs.mkdirSync(join(base, "a", "b"), { recursive: true });
    const before = open();
    for (let i = 0; i < 20; i += 1) {
      files.close(files.openDirectory(root, bytes("a/b")));
      const file = files.createFile(root, bytes(`f${i}`));
      files.close(file);
      expect(() => files.openDirectory(root, bytes("a/absent"))).toThrow("ENOENT");
      expect(() => new BeneathOpener(true).open(root, bytes("a/b/absent"))).toThrow("ENOENT");
      expect(() => files.openFile(root, bytes("a"), "read")).toThrow();
    }
    expect(open()).toBe(before);
  });

  it.runIf(asRoot)("knows a mount point, even of a directory of the same file system", () => {
    fs.mkdirSync(join(base, "mounted"));
    fs.mkdirSync(join(base, "source"));
    try {
      execFileSync("mount", ["--bind", join(base, "source"), join(base, "mounted")]);
    } catch {
      return;
    }
    try {
      expect(files.isMountPoint(root, bytes("mounted"))).toBe(true);
      expect(files.isMountPoint(root, bytes("source"))).toBe(false);
    } finally {
      execFileSync("umount", [join(base, "mounted")]);
    }
  });
});
