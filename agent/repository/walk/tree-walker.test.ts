/** Walks through trees: order, choice, damage, depth, and letting go of large trees. */
import { describe, expect, it } from "vitest";
import type { BackstayError } from "../../../protocol/backstay-error.ts";
import { CraftedRepository, craftNode } from "../../../test/repository/crafted-snapshot.ts";
import type { Repository } from "../repository.ts";
import type { Node } from "../tree/node.ts";
import { type WalkOptions, type WalkVisitor, walkTree } from "./tree-walker.ts";

const never = new AbortController().signal;
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

async function pathsOf(
  repository: Repository,
  root: Uint8Array,
  options: WalkOptions & { enters?: (path: string) => boolean } = {},
): Promise<string[]> {
  const seen: string[] = [];
  const visitor: WalkVisitor = {
    node(_, position) {
      const path = text(position.path());
      seen.push(`${position.depth} ${path}`);
      return options.enters?.(path) ?? true;
    },
    leave: (position) => void seen.push(`${position.depth} leave ${text(position.path())}`),
    damaged: (error, position) => void seen.push(`${error.code} ${text(position.path())}`),
  };
  await walkTree(repository, root, visitor, never, options);
  return seen;
}

function sample(): { made: CraftedRepository; root: Uint8Array } {
  const made = new CraftedRepository();
  const inner = made.directory("inner", [made.file("x", ["x"])]);
  const root = made.tree([
    made.directory("a", [inner, made.file("z", ["z"])]),
    craftNode({ name: Uint8Array.of(0xff), type: "fifo" }),
    made.directory("b", []),
  ]);
  return { made, root };
}

describe("a walk", () => {
  it("gives directories before their contents, and tells when they are left", async () => {
    const { made, root } = sample();
    expect(await pathsOf(await made.open(), root)).toEqual([
      "0 /a",
      "1 /a/inner",
      "2 /a/inner/x",
      "1 leave /a/inner",
      "1 /a/z",
      "0 leave /a",
      "0 /b",
      "0 leave /b",
      "0 /\u00ff",
    ]);
  });

  it("goes only where the visitor says, and puts a base before each path", async () => {
    const { made, root } = sample();
    const seen = await pathsOf(await made.open(), root, {
      enters: (path) => path !== "/up/a/inner",
      base: Buffer.from("/up"),
    });
    expect(seen).toEqual([
      "0 /up/a",
      "1 /up/a/inner",
      "1 /up/a/z",
      "0 leave /up/a",
      "0 /up/b",
      "0 leave /up/b",
      "0 /up/\u00ff",
    ]);
  });

  it("goes on after trees that are missing, malformed or not named", async () => {
    const made = new CraftedRepository();
    const root = made.tree([
      craftNode({ name: "gone", type: "dir", subtree: new Uint8Array(32).fill(7) }),
      craftNode({ name: "half", type: "dir", subtree: made.rawTree(Buffer.from('{"nodes":[')) }),
      craftNode({ name: "none", type: "dir", subtree: null }),
      made.file("whole", ["x"]),
    ]);
    expect(await pathsOf(await made.open(), root)).toEqual([
      "0 /gone",
      "BLOB_MISSING /gone",
      "0 leave /gone",
      "0 /half",
      "REPOSITORY_DAMAGED /half",
      "0 leave /half",
      "0 /none",
      "REPOSITORY_DAMAGED /none",
      "0 leave /none",
      "0 /whole",
    ]);
  });

  it("rejects at damage if nobody asks to be told", async () => {
    const made = new CraftedRepository();
    const root = made.tree([
      craftNode({ name: "gone", type: "dir", subtree: new Uint8Array(32).fill(7) }),
    ]);
    const walk = walkTree(await made.open(), root, { node: () => true }, never);
    await expect(walk).rejects.toMatchObject({ code: "BLOB_MISSING" });
  });

  it("passes on what the visitor throws", async () => {
    const { made, root } = sample();
    const visitor: WalkVisitor = {
      node() {
        throw new RangeError("enough");
      },
      damaged: (error: BackstayError) => expect.fail(error.message),
    };
    await expect(walkTree(await made.open(), root, visitor, never)).rejects.toThrow("enough");
  });

  it("comes back from deep folders without recursion, and refuses endless depth", async () => {
    const made = new CraftedRepository();
    let root = made.tree([made.file("leaf", ["x"])]);
    for (let depth = 1; depth < 2000; depth += 1)
      root = made.tree([craftNode({ name: "d", type: "dir", subtree: root })]);
    const deepest = made.tree([craftNode({ name: "d", type: "dir", subtree: root })]);
    const repository = await made.open();
    let deep = 0;
    const count: WalkVisitor = {
      node: (_, { depth }) => {
        deep = Math.max(deep, depth);
        return true;
      },
    };
    await walkTree(repository, root, count, never, { depthMax: 2000 });
    expect(deep).toBe(1999);
    await expect(
      walkTree(repository, deepest, count, never, { depthMax: 2000 }),
    ).rejects.toMatchObject({
      code: "REPOSITORY_DAMAGED",
    });
  });

  it("reads a large folder again if its bytes had to go", async () => {
    const made = new CraftedRepository();
    const level = (name: string, below: readonly Node[]): Node =>
      made.directory(name, [
        craftNode({ name: "b", type: "fifo" }),
        ...below,
        craftNode({ name: `z-${name}`, type: "fifo" }),
      ]);
    const root = made.tree([level("c1", [level("c2", [level("c3", [])])])]);
    const loads: string[] = [];
    const repository = await made.open();
    const load = repository.loadTree.bind(repository);
    repository.loadTree = async (ids, ...rest) => {
      loads.push(Buffer.from(ids).toString("hex").slice(0, 8));
      return await load(ids, ...rest);
    };
    const seen = (await pathsOf(repository, root, { heldBytesMax: 1000 })).filter(
      (line) => !line.includes("leave"),
    );
    expect(seen).toEqual([
      "0 /c1",
      "1 /c1/b",
      "1 /c1/c2",
      "2 /c1/c2/b",
      "2 /c1/c2/c3",
      "3 /c1/c2/c3/b",
      "3 /c1/c2/c3/z-c3",
      "2 /c1/c2/z-c2",
      "1 /c1/z-c1",
    ]);
    expect(loads.length).toBeGreaterThan(4);
  });

  it("lets others have their turn, and ends when it is aborted", async () => {
    const made = new CraftedRepository();
    const entries = Array.from({ length: 6_000 }, (_, i) =>
      craftNode({ name: `${i}`, type: "fifo" }),
    );
    const root = made.tree(entries);
    const repository = await made.open();
    const controller = new AbortController();
    let seen = 0;
    setTimeout(() => controller.abort(new Error("stop")), 1);
    const walk = walkTree(
      repository,
      root,
      {
        node() {
          seen += 1;
          // As slow as a real visitor, so that the timer comes due.
          for (let spin = 0; spin < 20_000; spin += 1) Math.sqrt(spin);
          return true;
        },
      },
      controller.signal,
    );
    await expect(walk).rejects.toThrow("stop");
    expect(seen).toBeLessThan(6_000);
  });
});
