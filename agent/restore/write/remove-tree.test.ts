/** Removing folders follows nothing and needs few descriptors however deep they are. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTargetFiles } from "../../../platform/open-target-files.ts";
import { removeTree } from "./remove-tree.ts";

const files = openTargetFiles();
const name = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const never = (): boolean => false;

let base: string;
let root: number;
beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), "backstay-remove-"));
  root = files.openRoot(Buffer.from(base), false);
});
afterEach(() => {
  files.close(root);
  fs.rmSync(base, { recursive: true, force: true });
});

describe("removeTree", () => {
  it("removes files, symlinks themselves, and folders with everything in them", () => {
    fs.mkdirSync(join(base, "keep"));
    fs.writeFileSync(join(base, "keep", "file"), "");
    fs.mkdirSync(join(base, "gone", "a", "b"), { recursive: true });
    for (const file of ["gone/x", "gone/a/y", "gone/a/b/z"]) fs.writeFileSync(join(base, file), "");
    fs.symlinkSync(join(base, "keep"), join(base, "gone", "a", "link"));
    fs.symlinkSync(join(base, "keep"), join(base, "link"));
    removeTree(files, root, name("gone"), never);
    removeTree(files, root, name("link"), never);
    removeTree(files, root, name("absent"), never);
    expect(fs.readdirSync(base)).toEqual(["keep"]);
    expect(fs.readdirSync(join(base, "keep"))).toEqual(["file"]);
  });

  it("removes folders inside each other, a thousand deep and with siblings", () => {
    let parent = root;
    for (let level = 0; level < 1000; level += 1) {
      files.createDirectory(parent, name("d"));
      const next = files.openDirectory(parent, name("d"));
      if (level % 90 === 0) files.createDirectory(next, name("sibling"));
      files.close(files.createFile(next, name("f")));
      if (parent !== root) files.close(parent);
      parent = next;
    }
    files.close(parent);
    removeTree(files, root, name("d"), never);
    expect(fs.readdirSync(base)).toEqual([]);
  });

  it("leaves the rest when cancelled", () => {
    fs.mkdirSync(join(base, "d"));
    for (let i = 0; i < 10; i += 1) fs.writeFileSync(join(base, "d", `${i}`), "");
    let asked = 0;
    removeTree(files, root, name("d"), () => {
      asked += 1;
      return asked > 4;
    });
    expect(fs.readdirSync(join(base, "d"))).toHaveLength(6);
  });
});
