/** Entries as lines and JSON. */
import { describe, expect, it } from "vitest";
import { goMode } from "../repository/tree/file-mode.ts";
import type { Node } from "../repository/tree/node.ts";
import { entryLine, findJson, lsJson, modeText } from "./node-text.ts";

const time = { seconds: 1_700_000_000, nanoseconds: 5 };
const node: Node = {
  name: Buffer.from("a\n"),
  type: "symlink",
  mode: (goMode.symlink | 0o777) >>> 0,
  mtime: time,
  atime: time,
  ctime: time,
  uid: 1,
  gid: 2,
  user: 'a"b',
  group: "",
  inode: 18446744073709551615n,
  deviceId: 0n,
  size: 0,
  links: 1n,
  linkTarget: Buffer.from("\u001b[1m"),
  attributes: [],
  device: 0n,
  content: null,
  subtree: null,
};

it.each([
  [0o644, "-rw-r--r--"],
  [(goMode.directory | 0o755) >>> 0, "drwxr-xr-x"],
  [(goMode.symlink | 0o777) >>> 0, "Lrwxrwxrwx"],
  [(goMode.device | 0o660) >>> 0, "Drw-rw----"],
  [(goMode.device | goMode.charDevice | 0o620) >>> 0, "Dcrw--w----"],
  [(goMode.setuid | 0o755) >>> 0, "urwxr-xr-x"],
  [(goMode.directory | goMode.sticky | 0o777) >>> 0, "dtrwxrwxrwx"],
  [goMode.fifo, "p---------"],
])("mode %o is %s, as restic shows it", (mode, text) => {
  expect(modeText(mode)).toBe(text);
});

describe("an entry", () => {
  const path = Buffer.from("/x/a\n");

  it("is one safe line on a terminal", () => {
    const line = entryLine(node, path, { long: true, humanReadable: false, safe: true });
    expect(line).toMatch(/^Lrwxrwxrwx {5}1 {5}2 {6}0 \S+ \S+ "\/x\/a\\n" -> "\\x1b\[1m"\n$/);
  });

  it("keeps its bytes for programs", () => {
    const raw = Buffer.concat([Buffer.from("/x/"), Uint8Array.of(0xff)]);
    const line = entryLine(node, raw, { long: false, humanReadable: false, safe: false });
    expect(line).toEqual(Buffer.concat([raw, Buffer.from("\n")]));
  });

  it("has 64-bit numbers and its own JSON", () => {
    expect(lsJson(node, path)).toContain('"inode":18446744073709551615,');
    const parsed = JSON.parse(findJson(node, path)) as object;
    expect(parsed).toMatchObject({
      path: "/x/a\n",
      user: 'a"b',
      linktarget: "\u001b[1m",
      links: 1,
    });
    expect(parsed).not.toHaveProperty("group");
    expect(parsed).not.toHaveProperty("path_raw");
  });

  it("tells the true bytes of a path that is no text", () => {
    const raw = Uint8Array.of(0x2f, 0xff);
    expect(JSON.parse(lsJson(node, raw))).toMatchObject({ path: "/\ufffd", path_raw: "L/8=" });
  });
});
