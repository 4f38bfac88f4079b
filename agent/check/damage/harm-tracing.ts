/** Traces problems from the trees that have them to the snapshots that need those trees. */
import type { CheckContext } from "../check-context.ts";
import { BlobBits } from "../trees/blob-bits.ts";
import { NumberList } from "../trees/number-list.ts";
import type { TreeGraph } from "../trees/tree-graph.ts";
import type { RootedSnapshot, TreeDamage } from "./tree-damage.ts";

const stepsBetweenLooks = 4096;

/**
 * Adds to each problem the snapshots that it hurts, in the order given. Only trees that are `leading` to damage are
 * gone through.
 */
export async function traceSnapshots(
  context: CheckContext,
  graph: TreeGraph,
  damage: TreeDamage,
  leading: BlobBits,
  snapshots: readonly RootedSnapshot[],
): Promise<void> {
  const trace = new Trace(graph, leading);
  let steps = 0;
  for (const [number, { id, root }] of snapshots.entries()) {
    trace.begin(root);
    for (let entry = trace.next(); entry !== undefined; entry = trace.next()) {
      for (const problem of damage.problemsOf(entry)) {
        if (problem.lastSnapshot === number) continue;
        problem.lastSnapshot = number;
        problem.addSnapshot(id);
      }
      steps += 1;
      if (steps % stepsBetweenLooks === 0 && context.turns.isDue) await context.turns.give();
    }
  }
}

/** Gives the damaged trees of one snapshot after the other, each once a snapshot. */
class Trace {
  readonly #graph: TreeGraph;
  readonly #leading: BlobBits;
  readonly #seen: BlobBits;
  readonly #visited = new NumberList();
  readonly #waiting = new NumberList();

  constructor(graph: TreeGraph, leading: BlobBits) {
    this.#graph = graph;
    this.#leading = leading;
    this.#seen = BlobBits.create(leading.size);
  }

  begin(root: number): void {
    for (let entry = this.#visited.pop(); entry !== undefined; entry = this.#visited.pop())
      this.#seen.clear(entry);
    this.#visit(root);
  }

  next(): number | undefined {
    const entry = this.#waiting.pop();
    if (entry === undefined) return undefined;
    for (let place = this.#graph.subtreeCount(entry) - 1; place >= 0; place -= 1)
      this.#visit(this.#graph.subtree(entry, place));
    return entry;
  }

  #visit(entry: number): void {
    if (!this.#leading.has(entry) || this.#seen.has(entry)) return;
    this.#seen.set(entry);
    this.#visited.push(entry);
    this.#waiting.push(entry);
  }
}
