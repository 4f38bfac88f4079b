import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ByteWriter } from "./byte-writer.ts";
import type { Node } from "./node.ts";
import { encodeTree } from "./tree-encoder.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const idOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

const emptyTreeId = "ac08ce34ba4f8123618661bef2425f7028ffb9ac740578a3ee88684d2523fee8";
const time = { seconds: Date.UTC(2024, 4, 6, 7, 8, 9) / 1000, nanoseconds: 100_000_000 };
const blank: Node = {
  name: utf8(""),
  type: "file",
  mode: 0,
  mtime: time,
  atime: time,
  ctime: time,
  uid: 0,
  gid: 0,
  user: "",
  group: "",
  inode: 0n,
  deviceId: 0n,
  size: 0,
  links: 0n,
  linkTarget: new Uint8Array(0),
  attributes: [],
  device: 0n,
  content: null,
  subtree: null,
};

describe("encodeTree", () => {
  it("gives the empty tree the id that every restic repository knows", () => {
    expect(idOf(encodeTree(new ByteWriter(), [])).toString("hex")).toBe(emptyTreeId);
  });

  it("writes the canonical tree of the format's test vectors", () => {
    const nodes: Node[] = [
      {
        ...blank,
        name: utf8("<a\\b>\u00a0"),
        mode: 420,
        inode: 2n ** 64n - 1n,
        size: 6,
        links: 1n,
        content: idOf(utf8("hello\n")),
      },
      {
        ...blank,
        name: utf8("d"),
        type: "dir",
        mode: 2147484141,
        uid: 1000,
        gid: 1000,
        user: "u",
        group: "g",
        subtree: Buffer.from(emptyTreeId, "hex"),
      },
      {
        ...blank,
        name: utf8("l"),
        type: "symlink",
        mode: 134218239,
        links: 1n,
        linkTarget: utf8("a"),
      },
    ];
    const tree = encodeTree(new ByteWriter(64), nodes);
    expect(tree.length).toBe(800);
    expect(idOf(tree).toString("hex")).toBe(
      "f7365e17e152927c9a1df3c6ed5f4b74bfd6fdd74f1cb5388c82438ebf9f03ce",
    );
  });
});
