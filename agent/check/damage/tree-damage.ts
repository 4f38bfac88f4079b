/** Which problems each tree has by itself: its own faults, blobs of its files that are hurt, or its own bytes. */

import { idToHex } from "../../repository/id.ts";
import type { CheckContext } from "../check-context.ts";
import type { PackLedger } from "../listing/pack-ledger.ts";
import type { CheckedSnapshot } from "../listing/snapshot-files.ts";
import type { OpenProblem } from "../report/problem-list.ts";
import type { BlobBits } from "../trees/blob-bits.ts";
import { faultsOf, type TreeFault } from "../trees/node-examiner.ts";
import type { TreeGraph } from "../trees/tree-graph.ts";

/** Pairs of a tree and a damaged pack that are kept; beyond it what is hurt is not told completely. */
const notedHurtsMax = 1_000_000;

export class TreeDamage {
  readonly hurt: BlobBits;
  /** True if there were more hurts than can be kept. */
  isCut = false;
  readonly #ledger: PackLedger;
  readonly #packProblems: ReadonlyMap<number, OpenProblem | undefined>;
  readonly #faults = new Map<number, Partial<Record<TreeFault, OpenProblem>>>();
  /** By entry of a tree: problems of packs that hold blobs of its files. */
  readonly #content = new Map<number, OpenProblem[]>();
  #noted = 0;

  /** `hurt` are the blobs that can't be had, and `packProblems` say why. */
  constructor(
    ledger: PackLedger,
    hurt: BlobBits,
    packProblems: ReadonlyMap<number, OpenProblem | undefined>,
  ) {
    this.#ledger = ledger;
    this.hurt = hurt;
    this.#packProblems = packProblems;
  }

  /** Reports the faults of the trees that snapshots need. */
  async reportFaults(context: CheckContext, graph: TreeGraph, reached: BlobBits): Promise<void> {
    const id = new Uint8Array(32);
    for (let entry = 0; entry < this.#ledger.table.count; entry += 1) {
      if (context.turns.isDue) await context.turns.give();
      const bits = graph.faultBits(entry);
      if (bits === 0 || !reached.has(entry)) continue;
      this.#ledger.table.copyId(entry, id, 0);
      const problems: Partial<Record<TreeFault, OpenProblem>> = {};
      for (const fault of faultsOf(bits)) {
        const problem = context.problems.add(fault, { type: "tree", id: idToHex(id) });
        if (problem !== undefined) problems[fault] = problem;
      }
      this.#faults.set(entry, problems);
    }
  }

  /** Notes that files of a tree have hurt blobs in these packs. */
  noteContent(entry: number, packs: Uint32Array): void {
    if (packs.length === 0 || this.#content.has(entry)) return;
    if (this.#noted + packs.length > notedHurtsMax) {
      this.isCut = true;
      return;
    }
    this.#noted += packs.length;
    const problems: OpenProblem[] = [];
    for (const pack of packs) {
      const problem = this.#packProblems.get(pack);
      if (problem !== undefined) problems.push(problem);
    }
    this.#content.set(entry, problems);
  }

  /** The problem of a pack, if it is listed. */
  problemOfPack(pack: number): OpenProblem | undefined {
    return this.#packProblems.get(pack);
  }

  /** The problem that makes a blob impossible to get. */
  problemOfBlob(entry: number): OpenProblem | undefined {
    return this.problemOfPack(this.#ledger.table.packOf(entry));
  }

  faultOf(entry: number, fault: TreeFault): OpenProblem | undefined {
    return this.#faults.get(entry)?.[fault];
  }

  /** True if a tree has problems of its own; those of trees below it do not count. */
  isHurt(entry: number): boolean {
    return this.hurt.has(entry) || this.#faults.has(entry) || this.#content.has(entry);
  }

  /** The problems that a tree has by itself. */
  problemsOf(entry: number): OpenProblem[] {
    const problems = [
      ...Object.values(this.#faults.get(entry) ?? {}),
      ...(this.#content.get(entry) ?? []),
    ];
    const own = this.hurt.has(entry) ? this.problemOfBlob(entry) : undefined;
    if (own !== undefined) problems.push(own);
    return problems;
  }
}

/** A snapshot whose root tree is in the index. */
export interface RootedSnapshot {
  readonly id: string;
  /** Entry of the root tree. */
  readonly root: number;
}

/** Finds the root trees; reports snapshots whose root no index has. */
export function findRoots(
  context: CheckContext,
  ledger: PackLedger,
  snapshots: readonly CheckedSnapshot[],
): RootedSnapshot[] {
  const rooted: RootedSnapshot[] = [];
  for (const { id, tree } of snapshots) {
    const root = ledger.table.find(tree, 0, true);
    if (root >= 0) {
      rooted.push({ id, root });
      continue;
    }
    const isData = ledger.table.find(tree, 0, false) >= 0;
    const object = { type: "snapshot", id } as const;
    const problem = context.problems.add(isData ? "blob-type" : "tree-missing", object, [
      `root tree ${idToHex(tree)}${isData ? " is listed as data" : ""}`,
    ]);
    problem?.addSnapshot(id);
    problem?.addPath(id, () => Uint8Array.of(0x2f));
  }
  return rooted;
}
