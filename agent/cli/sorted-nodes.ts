/** The nodes of one tree in the order of their names, read one by one where they are stored that way. */
import { idToHex } from "../repository/id.ts";
import type { Repository } from "../repository/repository.ts";
import type { Node } from "../repository/tree/node.ts";
import { NodeOrder } from "../repository/tree/node-rules.ts";
import { TreeReader } from "../repository/tree/tree-decoder.ts";

export class SortedNodes {
  readonly #next: () => Node | undefined;
  #current: Node | undefined;

  private constructor(next: () => Node | undefined) {
    this.#next = next;
    this.#current = next();
  }

  /** Rejects as `Repository.loadTree` does, or REPOSITORY_DAMAGED if the bytes are no tree. */
  static async load(
    repository: Repository,
    tree: Uint8Array,
    signal: AbortSignal,
  ): Promise<SortedNodes> {
    const bytes = await repository.loadTree(tree, signal);
    const treeId = idToHex(tree);
    const probe = new TreeReader(bytes, { treeId, content: "skipped" });
    const order = new NodeOrder();
    let isSorted = true;
    for (let node = probe.next(); node !== undefined && isSorted; node = probe.next())
      isSorted = order.accept(node.name) !== "descending";
    const reader = new TreeReader(bytes, { treeId, content: "in-place" });
    if (isSorted) return new SortedNodes(() => reader.next());
    // Old and foreign writers: held as a whole, as there is no other way.
    const nodes: Node[] = [];
    for (let node = reader.next(); node !== undefined; node = reader.next()) nodes.push(node);
    nodes.sort((a, b) => Buffer.compare(a.name, b.name));
    let at = 0;
    return new SortedNodes(() => nodes[at++]);
  }

  /** The node at hand; undefined after the last. */
  get current(): Node | undefined {
    return this.#current;
  }

  advance(): void {
    this.#current = this.#next();
  }
}
