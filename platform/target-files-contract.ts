/** What every adapter of the target port does, as tests; each adapter runs it on its system. */

import * as fs from "node:fs";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileError } from "./ports/source-files.ts";
import { modeType, statAt, statRecordBytes } from "./ports/stat-record.ts";
import { type TargetFiles, type TargetHandle, unfinishedMode } from "./ports/target-files.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof FileError) return error.code;
    throw error;
  }
  return "no error";
}

/** Declares the suite for one adapter. */
export function describeTargetFiles(name: string, make: () => TargetFiles): void {
  describe(`${name} writes a target`, () => {
    let files: TargetFiles;
    let base: string;
    let root: TargetHandle;

    beforeEach(() => {
      base = mkdtempSync(join(tmpdir(), "backstay-target-"));
      files = make();
      root = files.openRoot(bytes(join(base, "made", "root")), true);
    });
    afterEach(() => {
      files.close(root);
      rmSync(base, { recursive: true, force: true });
    });

    const at = (...parts: string[]): string => join(base, "made", "root", ...parts);
    const record = (entry: string): DataView => {
      const raw = new Uint8Array(statRecordBytes + 8);
      files.stat(root, bytes(entry), raw, 8);
      return new DataView(raw.buffer, 8);
    };
    const put = (entry: string, content: string): void => {
      const file = files.createFile(root, bytes(entry));
      files.write(file, bytes(`__${content}`), 2, content.length, 0);
      files.close(file);
    };

    it("makes its root for the owner only, and opens one that exists", () => {
      if (files.abilities.modes) expect(fs.statSync(at()).mode & 0o777).toBe(0o700);
      files.close(files.openRoot(bytes(at()), false));
      expect(codeOf(() => files.openRoot(bytes(at("absent")), false))).toBe("ENOENT");
      writeFileSync(at("file"), "");
      expect(codeOf(() => files.openRoot(bytes(at("file")), false))).toBe("ENOTDIR");
    });

    it("writes a file that nobody may read until its mode is set", () => {
      const file = files.createFile(root, bytes("new"));
      if (files.abilities.modes) expect(fs.statSync(at("new")).mode & 0o777).toBe(unfinishedMode);
      files.write(file, bytes("..later"), 2, 5, 5);
      files.write(file, bytes("first"), 0, 5, 0);
      files.setMode(file, 0o640);
      files.close(file);
      expect(fs.readFileSync(at("new"), "latin1")).toBe("firstlater");
      if (files.abilities.modes) expect(fs.statSync(at("new")).mode & 0o777).toBe(0o640);
    });

    it("writes large files whole at any position, with holes where nothing was written", () => {
      const content = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7919) >> 5));
      const file = files.createFile(root, bytes("large"));
      files.truncate(file, 12_000_000);
      const start = 4_000_001;
      files.write(file, content, 1_500_000, 1_500_000, start + 1_500_000);
      files.write(file, content, 0, 1_500_000, start);
      files.write(file, content, 100, 4096 * 64, 8192);
      files.setMode(file, 0o600);
      files.close(file);
      const expected = Buffer.alloc(12_000_000);
      content.copy(expected, start);
      content.copy(expected, 8192, 100, 100 + 4096 * 64);
      expect(fs.readFileSync(at("large")).equals(expected)).toBe(true);
    });

    it("reads back, short only at the end", () => {
      put("read", "0123456789");
      fs.chmodSync(at("read"), 0o600);
      const file = files.openFile(root, bytes("read"), "read");
      const buffer = new Uint8Array(8);
      expect(files.read(file, buffer, 1, 4, 2)).toBe(4);
      expect(Buffer.from(buffer).toString("latin1", 1, 5)).toBe("2345");
      expect(files.read(file, buffer, 0, 8, 7)).toBe(3);
      expect(files.read(file, buffer, 0, 8, 70)).toBe(0);
      files.close(file);
    });

    it("opens for writing without emptying, and cuts or extends on request", () => {
      put("grow", "0123456789");
      const file = files.openFile(root, bytes("grow"), "write");
      files.write(file, bytes("AB"), 0, 2, 4);
      files.truncate(file, 8);
      files.truncate(file, 9);
      files.close(file);
      fs.chmodSync(at("grow"), 0o600);
      expect(fs.readFileSync(at("grow"), "latin1")).toBe("0123AB67\0");
    });

    it("refuses a name that is taken, whatever takes it", () => {
      put("taken", "x");
      fs.mkdirSync(at("dir"));
      fs.symlinkSync("/nowhere", at("dangling"));
      for (const name of ["taken", "dir", "dangling"]) {
        expect(codeOf(() => files.createFile(root, bytes(name)))).toBe("EEXIST");
        expect(codeOf(() => files.createDirectory(root, bytes(name)))).toBe("EEXIST");
      }
    });

    it("opens only regular files, never a symlink", () => {
      writeFileSync(join(base, "outside"), "secret");
      fs.symlinkSync(join(base, "outside"), at("link"));
      fs.mkdirSync(at("dir"));
      for (const access of ["read", "write"] as const) {
        expect(codeOf(() => files.openFile(root, bytes("link"), access))).toBe("ELOOP");
        expect(["EINVAL", "EISDIR"]).toContain(
          codeOf(() => files.openFile(root, bytes("dir"), access)),
        );
        expect(codeOf(() => files.openFile(root, bytes("absent"), access))).toBe("ENOENT");
      }
    });

    it("opens directories several levels down, but through no symlink and not upwards", () => {
      fs.mkdirSync(at("a", "b", "c"), { recursive: true });
      fs.symlinkSync(at("a"), at("to-a"));
      fs.symlinkSync("b", at("a", "to-b"));
      writeFileSync(at("file"), "");
      const deep = files.openDirectory(root, bytes("a/b/c"));
      files.createDirectory(deep, bytes("d"));
      files.close(deep);
      expect(fs.statSync(at("a", "b", "c", "d")).isDirectory()).toBe(true);
      expect(codeOf(() => files.openDirectory(root, bytes("absent")))).toBe("ENOENT");
      for (const path of ["to-a", "to-a/b", "a/to-b", "a/to-b/c"])
        expect(["ELOOP", "ENOTDIR"]).toContain(
          codeOf(() => files.openDirectory(root, bytes(path))),
        );
      expect(codeOf(() => files.openDirectory(root, bytes("file")))).toBe("ENOTDIR");
      for (const path of ["..", "a/../../.."])
        expect(codeOf(() => files.openDirectory(root, bytes(path)))).toBe("EXDEV");
    });

    it("opens a directory deeper than any path", () => {
      if (!files.abilities.anchored) return;
      const name = "x".repeat(200);
      let parent = root;
      for (let level = 0; level < 30; level += 1) {
        files.createDirectory(parent, bytes(name));
        const next = files.openDirectory(parent, bytes(name));
        if (parent !== root) files.close(parent);
        parent = next;
      }
      files.close(parent);
      const path = Array.from({ length: 30 }, () => name).join("/");
      files.close(files.openDirectory(root, bytes(path)));
      fs.renameSync(at(name, name), at("upper"));
      expect(codeOf(() => files.openDirectory(root, bytes(path)))).toBe("ENOENT");
    });

    it("tells metadata of entries and handles without following", () => {
      put("file", "12345");
      fs.symlinkSync("over there", at("link"));
      expect(record("file").getUint32(statAt.size, true)).toBe(5);
      expect(record("file").getUint32(statAt.mode, true) & modeType.mask).toBe(modeType.file);
      expect(record("link").getUint32(statAt.mode, true) & modeType.mask).toBe(modeType.symlink);
      expect(Buffer.from(files.readLink(root, bytes("link"))).toString()).toBe("over there");
      const handle = files.openEntry(root, bytes("link"));
      const raw = new Uint8Array(statRecordBytes);
      files.statHandle(handle, raw, 0);
      files.close(handle);
      const view = new DataView(raw.buffer);
      expect(view.getUint32(statAt.mode, true) & modeType.mask).toBe(modeType.symlink);
      expect(codeOf(() => record("absent"))).toBe("ENOENT");
    });

    it("lists names sorted", () => {
      for (const name of ["b", "a", "c"]) put(name, "");
      const { count, names, offsets } = files.list(root);
      expect(count).toBe(3);
      expect(Buffer.from(names.slice(0, offsets[3])).toString()).toBe("abc");
    });

    it("makes symlinks and hard links, and links a symlink itself", () => {
      if (!files.abilities.symlinks) return;
      put("file", "content");
      files.createLink(root, bytes("file"), root, bytes("second"));
      expect(fs.statSync(at("second")).ino).toBe(fs.statSync(at("file")).ino);
      files.createSymlink(root, bytes("link"), bytes("file"));
      expect(fs.readlinkSync(at("link"))).toBe("file");
      expect(codeOf(() => files.createSymlink(root, bytes("file"), bytes("x")))).toBe("EEXIST");
      expect(codeOf(() => files.createLink(root, bytes("file"), root, bytes("link")))).toBe(
        "EEXIST",
      );
      files.createLink(root, bytes("link"), root, bytes("link2"));
      expect(fs.readlinkSync(at("link2"))).toBe("file");
    });

    it("renames over what is there and removes without following", () => {
      put("a", "A");
      put("b", "B");
      files.rename(root, bytes("a"), root, bytes("b"));
      fs.chmodSync(at("b"), 0o600);
      expect(fs.readFileSync(at("b"), "latin1")).toBe("A");
      expect(fs.existsSync(at("a"))).toBe(false);
      fs.mkdirSync(join(base, "outside"));
      fs.symlinkSync(join(base, "outside"), at("link"));
      files.removeFile(root, bytes("link"));
      expect(fs.existsSync(join(base, "outside"))).toBe(true);
      fs.mkdirSync(at("dir"));
      put("dir-file", "");
      expect(["EISDIR", "EPERM"]).toContain(codeOf(() => files.removeFile(root, bytes("dir"))));
      expect(codeOf(() => files.removeDirectory(root, bytes("dir-file")))).toBe("ENOTDIR");
      files.removeDirectory(root, bytes("dir"));
      expect(fs.existsSync(at("dir"))).toBe(false);
    });

    it("sets times before 1970 and after 2038", () => {
      put("file", "x");
      for (const [seconds, nanoseconds] of [
        [-1_000_000, 250_000_000],
        [5_000_000_000, 500_000_000],
        [1_600_000_000, 123_456_789],
      ]) {
        const file = files.openFile(root, bytes("file"), "write");
        files.setTimes(file, 77, 0, seconds, nanoseconds);
        files.close(file);
        const view = record("file");
        expect(Number(view.getBigInt64(statAt.mtime, true))).toBe(seconds);
        const off = Math.abs(view.getUint32(statAt.mtimeNs, true) - nanoseconds);
        expect(off).toBeLessThanOrEqual(files.abilities.anchored ? 0 : 2000);
        expect(Math.floor(fs.lstatSync(at("file")).atimeMs / 1000)).toBe(77);
      }
    });

    it("sets the times of a symlink, not of what it points to", () => {
      if (!files.abilities.symlinks) return;
      put("file", "x");
      files.createSymlink(root, bytes("link"), bytes("file"));
      const before = fs.statSync(at("file")).mtimeMs;
      const entry = files.openEntry(root, bytes("link"));
      files.setTimes(entry, 5, 0, 1234, 0);
      files.close(entry);
      expect(fs.lstatSync(at("link")).mtimeMs).toBe(1_234_000);
      expect(fs.statSync(at("file")).mtimeMs).toBe(before);
    });

    it("gives an entry away, a symlink itself", () => {
      if (!files.abilities.ownership) return;
      put("file", "x");
      files.createSymlink(root, bytes("link"), bytes("file"));
      const entry = files.openEntry(root, bytes("link"));
      files.setOwner(entry, 4_000_000_000, 12);
      files.close(entry);
      const file = files.openFile(root, bytes("file"), "write");
      files.setOwner(file, 1234, 5678);
      files.setMode(file, 0o4755);
      files.close(file);
      expect(fs.lstatSync(at("link"))).toMatchObject({ uid: 4_000_000_000, gid: 12 });
      expect(fs.statSync(at("file"))).toMatchObject({ uid: 1234, gid: 5678 });
      expect(fs.statSync(at("file")).mode & 0o7777).toBe(0o4755);
    });

    it("keeps names that are not text", () => {
      if (process.platform !== "linux") return;
      const name = Uint8Array.of(0xff, 0x0a, 0x5c, 0x22, 0xc3);
      files.close(files.createFile(root, name));
      const { names, offsets } = files.list(root);
      expect(names.slice(0, offsets[1])).toEqual(name);
      files.removeFile(root, name);
      expect(codeOf(() => files.createFile(root, Uint8Array.of(0x61, 0, 0x62)))).toBe("EINVAL");
    });

    it("knows what is free, and that a plain directory is no mount point", () => {
      expect(files.freeBytes(root)).toBeGreaterThan(0);
      fs.mkdirSync(at("dir"));
      expect(files.isMountPoint(root, bytes("dir"))).toBe(false);
    });
  });
}
