import { describe, expect, it } from "vitest";
import { addSnapshot, type Checked, check, pathsOf } from "../../test/check/check-scene.ts";
import { hashOf, hexOf } from "../../test/repository/crafted-packs.ts";
import { CraftedRepository, craftNode } from "../../test/repository/crafted-snapshot.ts";
import { ByteWriter } from "../repository/tree/byte-writer.ts";
import type { Node } from "../repository/tree/node.ts";
import { encodeTree } from "../repository/tree/tree-encoder.ts";

/** What a check says of a snapshot whose folder `/in` holds these nodes, in this order. */
async function checkNodes(
  make: (crafted: CraftedRepository) => readonly Node[],
): Promise<{ checked: Checked; tree: string; snapshot: string }> {
  const crafted = new CraftedRepository();
  return await checkTree(crafted, crafted.tree(make(crafted), true));
}

/** The same for a tree of any bytes. */
async function checkBytes(
  bytes: string | Uint8Array,
): Promise<{ checked: Checked; tree: string; snapshot: string }> {
  const crafted = new CraftedRepository();
  return await checkTree(crafted, crafted.rawTree(Buffer.from(bytes)));
}

async function checkTree(
  crafted: CraftedRepository,
  tree: Uint8Array,
): Promise<{ checked: Checked; tree: string; snapshot: string }> {
  const outer = craftNode({ name: "in", type: "dir", subtree: tree });
  const root = crafted.tree([outer, crafted.file("sound", ["sound"])]);
  const repository = await crafted.open();
  const snapshot = await addSnapshot(repository, root);
  const checked = await check(repository, { readData: { kind: "none" } });
  return { checked, tree: hexOf(tree), snapshot };
}

const named = (name: string | Uint8Array): Node => craftNode({ name, type: "fifo" });

describe("faults of names", () => {
  it.each([
    ["a slash", "a/b", "name contains /"],
    ["nothing but a slash", "/", "name contains /"],
    ["a path upwards", "../../etc/passwd", "name contains /"],
    ["two dots", "..", "name is .."],
    ["a dot", ".", "name is ."],
    ["nothing", "", "empty name"],
    ["a NUL", "a\0b", "name contains NUL"],
  ])("%s is found", async (_, name, text) => {
    const { checked, tree, snapshot } = await checkNodes(() => [named(name), named("~")]);
    const [problem] = checked.problems;
    expect(checked.problemCount).toBe(1);
    expect(problem).toMatchObject({ kind: "node-name", object: { type: "tree", id: tree } });
    expect(problem.details[0]).toContain(`: ${text}`);
    expect(problem.harm.paths).toEqual([
      { snapshot, path: new Uint8Array(Buffer.from(`/in/${name}`)) },
    ]);
  });

  it("names that do not ascend are found", async () => {
    const { checked } = await checkNodes(() => [named("a"), named("c"), named("b"), named("d")]);
    expect(checked.problems).toMatchObject([
      { kind: "node-order", details: ['"b" comes after a name that is greater'] },
    ]);
    expect(checked.problems.flatMap(pathsOf)).toEqual(["/in/b"]);
  });

  it("names in the order of UTF-16 instead of bytes are found", async () => {
    const { checked } = await checkNodes(() => [named("\u{1f600}"), named("\uff5e")]);
    expect(checked.problems).toMatchObject([{ kind: "node-order" }]);
  });

  it("a name that comes twice is found", async () => {
    const { checked } = await checkNodes(() => [named("a"), named("a")]);
    expect(checked.problems).toMatchObject([
      { kind: "node-duplicate", details: ['"a" comes twice'] },
    ]);
  });

  it("long names are cut in texts, and names that can't be shown are escaped", async () => {
    const { checked } = await checkNodes(() => [
      named("\u001b[31m/"),
      named(`${"n".repeat(300)}/`),
    ]);
    const [problem] = checked.problems;
    expect(problem.details).toEqual([
      '"\\x1b[31m/": name contains /',
      `"${"n".repeat(200)}"…: name contains /`,
    ]);
  });

  it("names of any other bytes are fine", async () => {
    const names = ["\n", "\\x", "\xff", "a b", "CON", "...", "…", "-rf"].map((name) =>
      Buffer.from(name, "latin1"),
    );
    const nodes = names.toSorted(Buffer.compare).map((name) => named(new Uint8Array(name)));
    expect((await checkNodes(() => nodes)).checked.lines).toEqual([]);
  });
});

describe("faults of nodes", () => {
  const tree = hashOf(Buffer.from('{"nodes":[]}\n'));
  it.each([
    ["a file without content", craftNode({ name: "n", type: "file", content: null })],
    ["a directory without tree", craftNode({ name: "n", type: "dir" })],
    ["a link with content", craftNode({ name: "n", type: "symlink", content: tree })],
    ["a file with a tree", craftNode({ name: "n", type: "file", subtree: tree })],
  ])("%s is found", async (text, node) => {
    const { checked } = await checkNodes(() => [node]);
    expect(checked.problems.filter(({ kind }) => kind === "node-shape")).toHaveLength(1);
    expect(checked.problems.flatMap(pathsOf), text).toContain("/in/n");
  });

  it.each([
    ["smaller than", 4],
    ["larger than", 6],
    ["far from", Number.MAX_SAFE_INTEGER],
  ])("a size that is %s the content is found", async (_, size) => {
    const { checked } = await checkNodes((crafted) => [crafted.file("n", ["12", "345"], { size })]);
    expect(checked.problems).toMatchObject([
      { kind: "file-size", details: [`"n": size ${size}, content of 5 bytes`] },
    ]);
    expect(checked.problems.flatMap(pathsOf)).toEqual(["/in/n"]);
  });

  it("sizes of what is no file do not matter", async () => {
    const { checked } = await checkNodes(() => [
      craftNode({ name: "n", type: "symlink", size: 12, linkTarget: new Uint8Array([0x78]) }),
    ]);
    expect(checked.lines).toEqual([]);
  });

  it("content that no index has is found, with its file", async () => {
    const lost = hashOf(Buffer.from("lost"));
    const { checked } = await checkNodes((crafted) => [
      craftNode({ name: "n", type: "file", size: 4, content: lost }),
      crafted.file("o", ["there"]),
    ]);
    expect(checked.problems).toMatchObject([
      { kind: "blob-missing", details: [`"n": blob ${hexOf(lost)}`] },
    ]);
    expect(checked.problems.flatMap(pathsOf)).toEqual(["/in/n"]);
  });

  it("a tree that no index has is found, with its directory", async () => {
    const lost = hashOf(Buffer.from("lost"));
    const { checked } = await checkNodes(() => [
      craftNode({ name: "n", type: "dir", subtree: lost }),
    ]);
    expect(checked.problems).toMatchObject([
      { kind: "tree-missing", details: [`"n": tree ${hexOf(lost)}`] },
    ]);
  });

  it("data in the place of a tree is found, and the other way round", async () => {
    const { checked } = await checkNodes((crafted) => [
      craftNode({ name: "d", type: "dir", subtree: crafted.blob('{"nodes":[]}\n ') }),
      craftNode({ name: "f", type: "file", size: 13, content: crafted.tree([]) }),
    ]);
    expect(checked.problems).toMatchObject([{ kind: "blob-type" }]);
    expect(checked.problems.flatMap(pathsOf)).toEqual(["/in/d", "/in/f"]);
  });

  it("a type that is not known is found, and the rest of the tree is looked at", async () => {
    const bytes = Buffer.from(
      encodeTree(new ByteWriter(), [named("a"), named("b/"), named("c")]),
    ).toString();
    const { checked } = await checkBytes(bytes.replace('"fifo"', '"irregular"'));
    expect(checked.problems).toMatchObject([
      { kind: "node-name" },
      { kind: "node-type", details: ['"a": type "irregular"'] },
    ]);
  });

  it("all faults of one tree are told apart", async () => {
    const { checked } = await checkNodes((crafted) => [
      named("z"),
      crafted.file("a", ["x"], { size: 2 }),
      named(".."),
      craftNode({ name: "zz", type: "file", content: null }),
    ]);
    expect(checked.problems.map(({ kind }) => kind).toSorted()).toEqual([
      "file-size",
      "node-name",
      "node-order",
      "node-shape",
    ]);
  });
});

describe("bytes that are no tree", () => {
  const node = (fields: string): string => `{"nodes":[{"name":"n","type":"fifo",${fields}}]}\n`;
  it.each([
    ["nothing but a blank", " "],
    ["no JSON", "tree"],
    ["another JSON", "[]"],
    ["an object without nodes", "{}"],
    ["a cut tree", '{"nodes":[{"name":"n","type":"fifo"'],
    ["text after the tree", '{"nodes":[]}{}'],
    ["a time without zone", node('"mtime":"2020-01-01T00:00:00"')],
    ["a time with a blank", node('"mtime":"2020-01-01 00:00:00Z"')],
    ["a negative uid", node('"uid":-1')],
    ["a fraction", node('"inode":1.5')],
    ["an exponent", node('"size":1e3')],
    ["a name with an unescaped line feed", '{"nodes":[{"name":"a\nb","type":"fifo"}]}'],
    ["a subtree that is no id", '{"nodes":[{"name":"n","type":"dir","subtree":"abc"}]}'],
    ["a content with a null id", '{"nodes":[{"name":"n","type":"file","content":[null]}]}'],
    ["deep nesting", `{"x":${"[".repeat(100_000)}`],
  ])("%s are found", async (_, bytes) => {
    const { checked, tree } = await checkBytes(bytes);
    expect(checked.problems).toMatchObject([
      { kind: "tree-malformed", object: { type: "tree", id: tree }, harm: { snapshotCount: 1 } },
    ]);
    expect(checked.problems.flatMap(pathsOf)).toEqual(["/in"]);
    expect(checked.problems[0].details).toHaveLength(1);
  });

  it("other white space, other orders and unknown fields are fine", async () => {
    const { checked } = await checkBytes(
      ' { "z": [1, {}], "nodes" : [ {"new":{"a":1},"type":"fifo","name":"n"} ] } ',
    );
    expect(checked.lines).toEqual([]);
  });
});

describe("what a fault hurts", () => {
  it("is traced to each snapshot, and each path is named once", async () => {
    const crafted = new CraftedRepository();
    const evil = crafted.tree([named("../up")]);
    const roots = ["a", "b"].map((name) =>
      crafted.tree([
        craftNode({ name, type: "dir", subtree: evil }),
        craftNode({ name: "same", type: "dir", subtree: evil }),
      ]),
    );
    const sound = crafted.tree([named("fine")]);
    const repository = await crafted.open();
    const ids: string[] = [];
    for (const [i, root] of [...roots, sound, roots[0]].entries())
      ids.push(await addSnapshot(repository, root, 1_700_000_000 + i));
    const { problems } = await check(repository);
    expect(problems).toHaveLength(1);
    const [{ harm }] = problems;
    expect(harm.snapshots).toEqual([ids[3], ids[1], ids[0]]);
    const places = harm.paths.map(
      ({ snapshot, path }) => `${ids.indexOf(snapshot)} ${Buffer.from(path).toString()}`,
    );
    expect(places.toSorted()).toEqual(["1 /b/../up", "3 /a/../up", "3 /same/../up"]);
    expect(harm).toMatchObject({ pathCount: 3, snapshotCount: 3, isComplete: true });
  });

  it("is listed to a bound and counted beyond", async () => {
    const crafted = new CraftedRepository();
    const names = Array.from({ length: 250 }, (_, i) => `a/${String(i).padStart(4, "0")}`);
    const root = crafted.tree(names.map(named));
    const repository = await crafted.open();
    for (let i = 0; i < 120; i += 1) await addSnapshot(repository, root, 1_700_000_000 + i);
    const [{ harm, details }] = (await check(repository)).problems;
    expect(harm.paths).toHaveLength(100);
    expect(harm.pathCount).toBe(250);
    expect(harm.snapshots).toHaveLength(100);
    expect(harm.snapshotCount).toBe(120);
    expect(details).toHaveLength(10);
  });

  it("ends in directories that multiply without end", { timeout: 60_000 }, async () => {
    const crafted = new CraftedRepository();
    let tree = crafted.tree([named("bad/")]);
    for (let level = 0; level < 40; level += 1) {
      const subtree = tree;
      tree = crafted.tree(["a", "b"].map((name) => craftNode({ name, type: "dir", subtree })));
    }
    const repository = await crafted.open();
    await addSnapshot(repository, tree);
    const [{ harm }] = (await check(repository)).problems;
    expect(harm.snapshotCount).toBe(1);
    expect(harm.isComplete).toBe(false);
    expect(harm.paths).toHaveLength(100);
  });

  it("is found at any depth", async () => {
    const crafted = new CraftedRepository();
    let tree = crafted.tree([named("bad/")]);
    for (let level = 0; level < 3000; level += 1)
      tree = crafted.tree([craftNode({ name: "d", type: "dir", subtree: tree })]);
    const repository = await crafted.open();
    await addSnapshot(repository, tree);
    const { problems, statistics } = await check(repository);
    expect(statistics.trees).toBe(3001);
    expect(problems.flatMap(pathsOf)).toEqual([`${"/d".repeat(3000)}/bad/`]);
  });
});

it("root trees that are missing or no trees are found", async () => {
  const crafted = new CraftedRepository();
  const data = crafted.blob("data");
  const repository = await crafted.open();
  const lost = await addSnapshot(repository, hashOf(Buffer.from("lost")), 1_700_000_000);
  const typed = await addSnapshot(repository, data, 1_700_000_001);
  const { problems } = await check(repository);
  expect(problems).toMatchObject([
    { kind: "blob-type", object: { type: "snapshot", id: typed }, harm: { snapshotCount: 1 } },
    { kind: "tree-missing", object: { type: "snapshot", id: lost }, harm: { snapshotCount: 1 } },
  ]);
  expect(problems.map(pathsOf)).toEqual([["/"], ["/"]]);
});
