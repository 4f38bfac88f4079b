/** Searches snapshots for entries whose paths match patterns. */

import type { PatternScope, PatternSet } from "../patterns/pattern-set.ts";
import { idToHex } from "../repository/id.ts";
import type { Repository } from "../repository/repository.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import type { Node } from "../repository/tree/node.ts";
import { walkTree } from "../repository/walk/tree-walker.ts";
import type { FindOutput } from "./find-output.ts";

/** Bounds on the time of modification, ms since 1970, both included. */
export interface ModifiedBetween {
  readonly oldestMs: number | undefined;
  readonly newestMs: number | undefined;
}

/** Trees known to hold no match; beyond it they are walked again. */
const knownEmptyMax = 1_000_000;

/**
 * Gives every match to `output`, snapshot by snapshot; resolves with the number of damaged trees. A tree that
 * held no match is not walked again in another snapshot, where the patterns see it the same way.
 */
export async function searchNames(
  repository: Repository,
  snapshots: readonly NamedSnapshot[],
  patterns: PatternSet,
  times: ModifiedBetween,
  output: FindOutput,
  signal: AbortSignal,
): Promise<number> {
  const knownEmpty = new KnownEmpty();
  let damaged = 0;
  for (const named of snapshots) {
    const scopes: PatternScope[] = [patterns.root];
    /** For each directory on the way here: its tree, and whether anything below it matched. */
    const open: { tree: string; hasMatch: boolean }[] = [];
    await walkTree(
      repository,
      named.snapshot.tree,
      {
        node(node, position) {
          const { depth } = position;
          const scope = scopes[depth];
          const { name } = node;
          if (name.length === 0) return false;
          if (scope.matchesEntry(name, 0, name.length) && isBetween(node, times)) {
            output.match(named, node, position.path());
            for (const each of open) each.hasMatch = true;
          }
          if (node.type !== "dir" || node.subtree === null) return false;
          const inner = scope.enter(name, 0, name.length);
          const tree = idToHex(node.subtree);
          if (!inner.childMayMatch || knownEmpty.has(inner, tree)) return false;
          scopes.length = depth + 1;
          scopes.push(inner);
          open.push({ tree, hasMatch: false });
          return true;
        },
        leave({ depth }) {
          const left = open.pop();
          if (left !== undefined && !left.hasMatch) knownEmpty.add(scopes[depth + 1], left.tree);
        },
        damaged(error, position) {
          damaged += 1;
          for (const each of open) each.hasMatch = true;
          output.damaged(named, position.path(), error);
        },
        settle: () => output.settle(),
      },
      signal,
    );
  }
  return damaged;
}

function isBetween(node: Node, { oldestMs, newestMs }: ModifiedBetween): boolean {
  const modifiedMs = node.mtime.seconds * 1000 + node.mtime.nanoseconds / 1e6;
  if (oldestMs !== undefined && modifiedMs < oldestMs) return false;
  return newestMs === undefined || modifiedMs <= newestMs;
}

/** Trees without a match, by the scope in which they were searched. */
class KnownEmpty {
  readonly #trees = new Map<PatternScope, Set<string>>();
  #count = 0;

  has(scope: PatternScope, tree: string): boolean {
    return this.#trees.get(scope)?.has(tree) === true;
  }

  add(scope: PatternScope, tree: string): void {
    if (this.#count >= knownEmptyMax) return;
    const trees = this.#trees.get(scope) ?? new Set();
    this.#trees.set(scope, trees);
    trees.add(tree);
    this.#count += 1;
  }
}
