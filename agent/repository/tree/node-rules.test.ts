import { describe, expect, it } from "vitest";
import type { Node } from "./node.ts";
import { NodeOrder, nodeNameProblem, nodeShapeProblem } from "./node-rules.ts";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const id = new Uint8Array(32);

describe("nodeNameProblem", () => {
  it.each(["", ".", "..", "/", "a/b", "../etc/passwd", "a\0b", "\0"])("refuses %j", (name) => {
    expect(nodeNameProblem(bytes(name))).toEqual(expect.any(String));
  });

  it.each(["a", "...", ".a", "..a", "a..", " ", "\n", "\xff\xfe", "a\\b", "x".repeat(300)])(
    "allows %j",
    (name) => {
      expect(nodeNameProblem(bytes(name))).toBeUndefined();
    },
  );
});

describe("nodeShapeProblem", () => {
  const shape = (node: Pick<Node, "type" | "content" | "subtree">) =>
    nodeShapeProblem(node as Node);

  it("allows what each type has", () => {
    expect(shape({ type: "file", content: new Uint8Array(0), subtree: null })).toBeUndefined();
    expect(shape({ type: "file", content: id, subtree: null })).toBeUndefined();
    expect(shape({ type: "dir", content: null, subtree: id })).toBeUndefined();
    expect(shape({ type: "symlink", content: null, subtree: null })).toBeUndefined();
    expect(shape({ type: "fifo", content: new Uint8Array(0), subtree: null })).toBeUndefined();
  });

  it("names what is missing and what is too much", () => {
    expect(shape({ type: "file", content: null, subtree: null })).toMatch(/without content/);
    expect(shape({ type: "dir", content: null, subtree: null })).toMatch(/without tree/);
    expect(shape({ type: "dir", content: id, subtree: id })).toMatch(/dir with content/);
    expect(shape({ type: "file", content: id, subtree: id })).toMatch(/file with a tree/);
  });
});

describe("NodeOrder", () => {
  it("compares raw bytes, not characters", () => {
    const order = new NodeOrder();
    const names = ["A", "a", "ab", "\u{ff21}", "\u{1f600}"].map((name) => Buffer.from(name));
    expect(names.map((name) => order.accept(name))).toEqual(Array(5).fill("ascending"));
    expect(order.accept(Buffer.from([0xff]))).toBe("ascending");
  });

  it("finds names that repeat and names that go back", () => {
    const order = new NodeOrder();
    const seen = ["b", "b", "a", "b", "c"].map((name) => order.accept(bytes(name)));
    expect(seen).toEqual(["ascending", "duplicate", "descending", "duplicate", "ascending"]);
  });
});
