import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Turns } from "../turns.ts";
import { TreeGraph } from "./tree-graph.ts";

const trees = 40;
/** A graph without circles: trees refer to trees of greater numbers. Some were not read. */
const graphs = fc.array(fc.option(fc.array(fc.nat(trees - 1), { maxLength: 5 }), { freq: 6 }), {
  minLength: trees,
  maxLength: trees,
});
const numbers = fc.array(fc.nat(trees - 1), { maxLength: 4 });

function build(references: readonly (readonly number[] | null)[]): {
  graph: TreeGraph;
  below: (number: number) => number[];
} {
  const graph = new TreeGraph(trees, new Turns(new AbortController().signal));
  const below = (number: number): number[] =>
    (references[number] ?? []).filter((other) => other > number);
  for (const [entry, list] of references.entries())
    if (list !== null)
      graph.add({
        entry,
        faultBits: 0,
        subtrees: Uint32Array.from(new Set(below(entry))),
        hurtPacks: new Uint32Array(0),
      });
  return { graph, below };
}

function everythingBelow(
  roots: readonly number[],
  below: (number: number) => number[],
): Set<number> {
  const found = new Set<number>();
  const visit = (number: number): void => {
    if (found.has(number)) return;
    found.add(number);
    for (const other of below(number)) visit(other);
  };
  for (const root of roots) visit(root);
  return found;
}

const all = Array.from({ length: trees }, (_, number) => number);

describe("a graph of trees", () => {
  it("tells which trees roots need", async () => {
    await fc.assert(
      fc.asyncProperty(graphs, numbers, async (references, roots) => {
        const { graph, below } = build(references);
        const reached = await graph.reach(roots);
        const expected = everythingBelow(roots, below);
        expect(all.filter((number) => reached.has(number))).toEqual(
          all.filter((number) => expected.has(number)),
        );
        expect(reached.count).toBe(expected.size);
      }),
    );
  });

  it("tells which of them lead to others", async () => {
    await fc.assert(
      fc.asyncProperty(graphs, numbers, numbers, async (references, roots, hurt) => {
        const { graph, below } = build(references);
        const leading = await graph.leadingTo(roots, (entry) => hurt.includes(entry));
        const needed = everythingBelow(roots, below);
        const expected = all.filter(
          (number) =>
            needed.has(number) && hurt.some((entry) => everythingBelow([number], below).has(entry)),
        );
        expect(all.filter((number) => leading.has(number))).toEqual(expected);
        expect(leading.isEmpty).toBe(expected.length === 0);
      }),
    );
  });

  it("keeps what it learned first", () => {
    const { graph } = build(Array.from({ length: trees }, () => null));
    const tree = { entry: 3, faultBits: 5, hurtPacks: new Uint32Array(0) };
    graph.add({ ...tree, subtrees: Uint32Array.of(7, 8) });
    graph.add({ ...tree, faultBits: 0, subtrees: Uint32Array.of(9) });
    expect(graph.faultBits(3)).toBe(5);
    expect([0, 1].map((place) => graph.subtree(3, place))).toEqual([7, 8]);
    expect(graph.subtreeCount(3)).toBe(2);
    expect(graph.subtreeCount(4)).toBe(0);
  });
});
