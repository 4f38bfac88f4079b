import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { absolutePaths, sortedChildren, type TargetNode, targetTree } from "./target-tree.ts";

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "latin1"));
const text = (value: Uint8Array): string => Buffer.from(value).toString("latin1");
const here = bytes("/srv/here");

/** Every node as `path` or, for targets, `path*`, in walk order. */
function shown(node: TargetNode): string[] {
  const own = `${text(node.path)}${node.isTarget ? "*" : ""}`;
  return [own, ...sortedChildren(node).flatMap(({ node: child }) => shown(child))];
}

function treeOf(...paths: string[]): string[] {
  return shown(targetTree(paths.map(bytes), here));
}

function absolute(...paths: string[]): string[] {
  return absolutePaths(paths.map(bytes), here).map(text);
}

describe("the tree of targets", () => {
  it("leads from the root to each absolute path", () => {
    expect(treeOf("/srv/data")).toEqual(["/", "/srv", "/srv/data*"]);
    expect(treeOf("/srv/data", "/etc", "/srv/a")).toEqual([
      "/",
      "/etc*",
      "/srv",
      "/srv/a*",
      "/srv/data*",
    ]);
  });

  it("is the root itself, or the working directory itself, if that is asked for", () => {
    expect(treeOf("/")).toEqual(["/*"]);
    expect(treeOf(".")).toEqual([".*"]);
    expect(treeOf("/", "/srv")).toEqual(["/*", "/srv*"]);
  });

  it("keeps relative paths as they are, while all are and none climbs", () => {
    expect(treeOf("b/c", "a")).toEqual([".", "a*", "b", "b/c*"]);
    expect(treeOf("b", "/etc")).toEqual(["/", "/etc*", "/srv", "/srv/here", "/srv/here/b*"]);
    expect(treeOf("a/../b")).toEqual(["/", "/srv", "/srv/here", "/srv/here/b*"]);
    expect(treeOf("..")).toEqual(["/", "/srv*"]);
    expect(treeOf("../../../..")).toEqual(["/*"]);
  });

  it("says where a relative target lies", () => {
    const [child] = sortedChildren(targetTree([bytes("a/b")], here));
    expect(text(child?.node.absolutePath ?? here)).toBe("/srv/here/a");
    expect(text(targetTree([bytes(".")], here).absolutePath)).toBe("/srv/here");
  });

  it("passes over empty components, dots and repetitions", () => {
    expect(treeOf("//srv///data/./", "/srv/./data")).toEqual(["/", "/srv", "/srv/data*"]);
    expect(absolute("a//b/", "./a/b/.", "/x/../a")).toEqual([
      "/srv/here/a/b",
      "/srv/here/a/b",
      "/a",
    ]);
  });

  it("keeps a target inside another one", () => {
    expect(treeOf("/a/b", "/a")).toEqual(["/", "/a*", "/a/b*"]);
  });

  it("keeps bytes that are no text, and sorts by bytes", () => {
    const tree = targetTree([bytes("/\xff"), bytes("/\xc3\xa9"), bytes("/z"), bytes("/Z")], here);
    expect(sortedChildren(tree).map(({ name }) => text(name))).toEqual([
      "Z",
      "z",
      "\xc3\xa9",
      "\xff",
    ]);
  });

  it("holds exactly the absolute form of each path as a target", () => {
    const part = fc.constantFrom("a", "b", "cc", ".", "..", "");
    const path = fc
      .tuple(fc.constantFrom("", "/"), fc.array(part, { minLength: 1, maxLength: 5 }))
      .map(([head, parts]) => head + parts.join("/"));
    fc.assert(
      fc.property(fc.array(path, { minLength: 1, maxLength: 4 }), (paths) => {
        const targets: string[] = [];
        const visit = (node: TargetNode): void => {
          if (node.isTarget) targets.push(text(node.absolutePath));
          for (const { node: child } of sortedChildren(node)) visit(child);
        };
        visit(targetTree(paths.map(bytes), here));
        expect(new Set(targets)).toEqual(new Set(absolute(...paths)));
        expect(new Set(targets).size).toBe(targets.length);
      }),
    );
  });
});
