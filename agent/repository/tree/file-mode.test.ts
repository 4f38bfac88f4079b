import { describe, expect, it } from "vitest";
import { goFileMode, nodeTypeOf, permissionBits } from "./file-mode.ts";

describe("goFileMode", () => {
  it.each([
    [0o100644, 420, "file"],
    [0o104755, 8389101, "file"],
    [0o102755, 4194797, "file"],
    [0o040755, 2147484141, "dir"],
    [0o041777, 2148532735, "dir"],
    [0o120777, 134218239, "symlink"],
    [0o010644, 33554852, "fifo"],
    [0o060660, 67109296, "dev"],
    [0o020600, 69206400, "chardev"],
    [0o140755, 16777709, "socket"],
    [0o100000, 0, "file"],
  ])("turns st_mode %o into %d, a %s", (stMode, mode, type) => {
    expect(goFileMode(stMode)).toBe(mode);
    expect(nodeTypeOf(stMode)).toBe(type);
  });

  it("keeps every permission bit of every type", () => {
    for (const type of [0o100000, 0o040000, 0o020000, 0o010000]) {
      for (let bits = 0; bits <= 0o7777; bits += 1) {
        expect(permissionBits(goFileMode(type | bits))).toBe(bits);
      }
    }
  });
});

describe("nodeTypeOf", () => {
  it("knows no type for bits that no Unix uses", () => {
    expect(nodeTypeOf(0)).toBeUndefined();
    expect(nodeTypeOf(0o160000)).toBeUndefined();
  });
});
