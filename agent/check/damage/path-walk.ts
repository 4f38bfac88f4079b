/** Walks through the damaged parts of snapshots, to name the paths that problems hurt. */

import { BlobLoader } from "../../repository/blob/blob-loader.ts";
import type { Node } from "../../repository/tree/node.ts";
import { TreeReader } from "../../repository/tree/tree-decoder.ts";
import type { CheckContext } from "../check-context.ts";
import type { PackLedger } from "../listing/pack-ledger.ts";
import { describeLoss } from "../report/lost-file.ts";
import type { OpenProblem } from "../report/problem-list.ts";
import type { BlobBits } from "../trees/blob-bits.ts";
import { faultsOf, NodeExaminer, shownName } from "../trees/node-examiner.ts";
import type { RootedSnapshot, TreeDamage } from "./tree-damage.ts";

/** Trees that are read, and bytes of paths that wait for their turn: then enough is known. */
const treesMax = 20_000;
const waitingBytesMax = 64 * 1024 * 1024;
/** Larger trees are not read again: their directory is named as a whole. */
const treeBytesMax = 64 * 1024 * 1024;
const nodesBetweenLooks = 256;
const slash = 0x2f;

interface WaitingTree {
  readonly entry: number;
  /** Of the directory; empty for the root. */
  readonly path: Uint8Array;
}

export interface PathWalkParts {
  readonly context: CheckContext;
  readonly ledger: PackLedger;
  readonly damage: TreeDamage;
  /** Trees that are damaged or have damage below them. */
  readonly leading: BlobBits;
}

/**
 * Adds to each problem the paths that it hurts, newest snapshot first. A tree that an older snapshot has at the same
 * path is not gone through again. False if there was too much to look at everything.
 */
export async function namePaths(
  parts: PathWalkParts,
  snapshots: readonly RootedSnapshot[],
): Promise<boolean> {
  const walk = new PathWalk(parts);
  for (const { id, root } of snapshots) await walk.walkSnapshot(id, root);
  return walk.isComplete;
}

class PathWalk {
  isComplete = true;
  readonly #context: CheckContext;
  readonly #ledger: PackLedger;
  readonly #damage: TreeDamage;
  readonly #leading: BlobBits;
  readonly #examiner: NodeExaminer;
  readonly #loader: BlobLoader;
  readonly #id = new Uint8Array(32);
  /** Places that were looked at: hashes of trees with their paths. */
  readonly #visited = new Set<number>();
  /** Trees whose faults were described. */
  readonly #described = new Set<number>();
  readonly #waiting: WaitingTree[] = [];
  #waitingBytes = 0;
  #treesRead = 0;
  #snapshot = "";

  constructor({ context, ledger, damage, leading }: PathWalkParts) {
    this.#context = context;
    this.#ledger = ledger;
    this.#damage = damage;
    this.#leading = leading;
    this.#examiner = new NodeExaminer(ledger.table, damage.hurt);
    const { store, sealer, masterKey } = context;
    this.#loader = new BlobLoader(store, undefined, ledger.table, sealer, masterKey);
  }

  async walkSnapshot(id: string, root: number): Promise<void> {
    this.#snapshot = id;
    this.#meet(root, new Uint8Array(0), () => Uint8Array.of(slash));
    for (let tree = this.#waiting.pop(); tree !== undefined; tree = this.#waiting.pop()) {
      this.#waitingBytes -= tree.path.length;
      if (this.#treesRead >= treesMax) {
        this.isComplete = false;
        continue;
      }
      this.#treesRead += 1;
      await this.#walkTree(tree);
      const [done, total] = [this.#treesRead, 0];
      this.#context.progress({ phase: "damage", done, total, bytesDone: 0, bytesTotal: 0 });
    }
  }

  /** A tree at a path: names the path if the tree itself is lost, else has it wait for its turn. */
  #meet(entry: number, path: Uint8Array, makePath: () => Uint8Array): void {
    if (!this.#leading.has(entry)) return;
    const place = placeHash(entry, path);
    if (this.#visited.has(place)) return;
    if (this.#visited.size >= 20 * treesMax || this.#waitingBytes > waitingBytesMax) {
      this.isComplete = false;
      return;
    }
    this.#visited.add(place);
    if (this.#damage.hurt.has(entry)) {
      this.#damage.problemOfBlob(entry)?.addPath(this.#snapshot, makePath);
      return;
    }
    this.#waiting.push({ entry, path });
    this.#waitingBytes += path.length;
  }

  async #walkTree(tree: WaitingTree): Promise<void> {
    const bytes = await this.#load(tree);
    if (bytes === undefined) return;
    const { entry } = tree;
    const examiner = this.#examiner;
    examiner.beginTree();
    const reader = new TreeReader(bytes, {
      content: "in-place",
      onUnknownType: (name, type) => {
        const bits = examiner.lookAtUnknown(name);
        const text = `${shownName(name)}: type ${JSON.stringify(type.slice(0, 32))}`;
        this.#noteFaults(tree, name, bits, () => text);
      },
    });
    try {
      for (let node = reader.next(), count = 1; node !== undefined; node = reader.next()) {
        this.#lookAt(tree, node);
        count += 1;
        const isDue = count % nodesBetweenLooks === 0 && this.#context.turns.isDue;
        if (isDue) await this.#context.turns.give();
      }
    } catch (error) {
      const text = describeLoss(error);
      const problem = this.#damage.faultOf(entry, "tree-malformed");
      problem?.addPath(this.#snapshot, () => wholePath(tree.path));
      if (!this.#described.has(entry)) problem?.addDetail(text);
    }
    this.#described.add(entry);
  }

  async #load({ entry, path }: WaitingTree): Promise<Uint8Array | undefined> {
    const { table } = this.#ledger;
    if (table.plainLengthOf(entry) <= treeBytesMax && table.storedLengthOf(entry) <= treeBytesMax) {
      table.copyId(entry, this.#id, 0);
      try {
        return await this.#loader.load(this.#id, 0, true, this.#context.signal);
      } catch (error) {
        // It could be read before: it vanished a moment ago.
        describeLoss(error);
      }
    }
    this.isComplete = false;
    for (const problem of this.#damage.problemsOf(entry))
      problem.addPath(this.#snapshot, () => wholePath(path));
    return undefined;
  }

  #lookAt(tree: WaitingTree, node: Node): void {
    const examiner = this.#examiner;
    const bits = examiner.look(node);
    if (bits !== 0)
      this.#noteFaults(tree, node.name, bits, (fault) => examiner.describe(node, fault));
    const makePath = (): Uint8Array => join(tree.path, node.name);
    for (const pack of examiner.hurtPacks)
      this.#damage.problemOfPack(pack)?.addPath(this.#snapshot, makePath);
    if (examiner.subtree >= 0 && this.#leading.has(examiner.subtree)) {
      const path = makePath();
      this.#meet(examiner.subtree, path, () => path);
    }
  }

  #noteFaults(
    { entry, path }: WaitingTree,
    name: Uint8Array,
    bits: number,
    describe: (fault: ReturnType<typeof faultsOf>[number]) => string,
  ): void {
    for (const fault of faultsOf(bits)) {
      const problem: OpenProblem | undefined = this.#damage.faultOf(entry, fault);
      problem?.addPath(this.#snapshot, () => join(path, name));
      if (!this.#described.has(entry)) problem?.addDetail(describe(fault));
    }
  }
}

function join(directory: Uint8Array, name: Uint8Array): Uint8Array {
  const path = new Uint8Array(directory.length + 1 + name.length);
  path.set(directory);
  path[directory.length] = slash;
  path.set(name, directory.length + 1);
  return path;
}

function wholePath(path: Uint8Array): Uint8Array {
  return path.length === 0 ? Uint8Array.of(slash) : path;
}

/** 53 bits of FNV-1a over path and entry. Where two places meet, one of them is not named. */
function placeHash(entry: number, path: Uint8Array): number {
  let [high, low] = [0x811c9dc5 ^ entry, 0x811c9dc5];
  for (let i = 0; i < path.length; i += 1) {
    high = Math.imul(high ^ path[i], 0x01000193);
    low = Math.imul(low ^ path[i] ^ (high >>> 13), 0x01000193);
  }
  low = Math.imul(low ^ entry, 0x01000193);
  return (high >>> 0) * 2 ** 21 + (low >>> 11);
}
