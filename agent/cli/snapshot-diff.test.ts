/** Compares trees: letters, counts, and blobs that only one side uses. */
import { describe, expect, it } from "vitest";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import type { Node } from "../repository/tree/node.ts";
import { type DiffResult, SnapshotDiff } from "./snapshot-diff.ts";

const never = new AbortController().signal;

interface Seen {
  readonly changes: string[];
  readonly result: DiffResult;
}

async function compare(
  make: (made: CraftedRepository) => [Uint8Array, Uint8Array],
  metadata = false,
): Promise<Seen> {
  const made = new CraftedRepository();
  const [before, after] = make(made);
  const repository = await made.open();
  const changes: string[] = [];
  const diff = new SnapshotDiff(repository, {
    metadata,
    change: (modifier, path) => void changes.push(`${modifier} ${Buffer.from(path).toString()}`),
    damaged: (path, error) => void changes.push(`${error.code} ${Buffer.from(path).toString()}`),
    settle: async () => undefined,
  });
  return { changes, result: await diff.run(before, after, never) };
}

const later = { mtime: { seconds: 1_700_000_000, nanoseconds: 0 } };

describe("a comparison", () => {
  it("finds nothing between equal trees", async () => {
    const { changes, result } = await compare((made) => {
      const tree = made.tree([made.file("a", ["x"])]);
      return [tree, tree];
    });
    expect(changes).toEqual([]);
    const none = { files: 0, dirs: 0, others: 0, dataBlobs: 0, treeBlobs: 0, bytes: 0 };
    expect(result).toEqual({ changedFiles: 0, added: none, removed: none });
  });

  it("names what was added, removed, changed, and became something else", async () => {
    const { changes, result } = await compare((made) => [
      made.tree([
        made.file("changed", ["old"]),
        made.directory("gone", [made.file("inside", ["gone"])]),
        craftNode({ name: "link", type: "symlink" }),
        made.file("same", ["same"]),
      ]),
      made.tree([
        made.file("changed", ["new!"], later),
        made.directory("fresh", [craftNode({ name: "pipe", type: "fifo" })]),
        made.file("link", ["was a link"]),
        made.file("same", ["same"]),
      ]),
    ]);
    expect(changes).toEqual([
      "M /changed",
      "+ /fresh/",
      "+ /fresh/pipe",
      "- /gone/",
      "- /gone/inside",
      "T /link",
    ]);
    expect(result.changedFiles).toBe(1);
    expect(result.added).toMatchObject({
      files: 0,
      dirs: 1,
      others: 1,
      dataBlobs: 2,
      treeBlobs: 2,
    });
    expect(result.removed).toMatchObject({
      files: 1,
      dirs: 1,
      others: 0,
      dataBlobs: 2,
      treeBlobs: 2,
    });
  });

  it("counts only blobs that the other side does not have anywhere", async () => {
    const { result } = await compare((made) => {
      const kept = made.directory("kept", [made.file("a", ["shared"])]);
      return [made.tree([kept]), made.tree([kept, made.file("copy", ["shared"])])];
    });
    expect(result.added).toMatchObject({ files: 1, dataBlobs: 0, treeBlobs: 1 });
  });

  it("tells changed metadata only if asked, and content that changed behind its back", async () => {
    const make = (made: CraftedRepository): [Uint8Array, Uint8Array] => [
      made.tree([made.file("meta", ["x"]), made.file("rot", ["abc"])]),
      made.tree([made.file("meta", ["x"], later), made.file("rot", ["abd"])]),
    ];
    expect((await compare(make)).changes).toEqual(["M? /rot"]);
    expect((await compare(make, true)).changes).toEqual(["U /meta", "M? /rot"]);
  });

  it("goes through unsorted trees in the order of names", async () => {
    const { changes } = await compare((made) => {
      const [a, b, c] = ["a", "b", "c"].map((name) => made.file(name, [name])) as [
        Node,
        Node,
        Node,
      ];
      return [made.tree([c, a, b], true), made.tree([b, c, a], true)];
    });
    expect(changes).toEqual([]);
  });

  it("goes on after a damaged folder", async () => {
    const { changes } = await compare((made) => {
      const lost = craftNode({ name: "lost", type: "dir", subtree: new Uint8Array(32).fill(9) });
      return [
        made.tree([lost, made.file("z", ["1"])]),
        made.tree([made.directory("lost", []), made.file("z", ["2"], later)]),
      ];
    });
    expect(changes).toEqual(["BLOB_MISSING /lost/", "M /z"]);
  });
});
