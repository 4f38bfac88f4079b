/** Finds one path in a snapshot. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Node } from "../../repository/tree/node.ts";
import { decodeTree } from "../../repository/tree/tree-decoder.ts";
import { showPath } from "../restore-issues.ts";

/** The node at a path, or the snapshot's own tree for the path `/`. */
export type FoundPath = { readonly tree: Uint8Array } | { readonly node: Node };

/**
 * Walks down from the tree of a snapshot (32 bytes). Empty components and `.` are passed over. Rejects with
 * PATH_NOT_FOUND, also for `..` and for a way through something that is no folder, or as `Repository.loadTree`.
 */
export async function findPath(
  repository: Repository,
  tree: Uint8Array,
  path: Uint8Array,
  signal: AbortSignal,
): Promise<FoundPath> {
  let found: FoundPath = { tree };
  for (const name of componentsOf(path)) {
    const parent: Uint8Array | null = "tree" in found ? found.tree : found.node.subtree;
    const node: Node | undefined =
      parent === null ? undefined : await findNode(repository, parent, name, signal);
    if (node === undefined) throw new BackstayError("PATH_NOT_FOUND", { path: showPath(path) });
    found = { node };
  }
  return found;
}

async function findNode(
  repository: Repository,
  tree: Uint8Array,
  name: Uint8Array,
  signal: AbortSignal,
): Promise<Node | undefined> {
  const bytes = await repository.loadTree(tree, signal);
  for (const node of decodeTree(bytes)) {
    if (Buffer.compare(node.name, name) === 0) return node;
  }
  return undefined;
}

function componentsOf(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  for (let from = 0; from <= path.length; ) {
    const slash = path.indexOf(0x2f, from);
    const end = slash < 0 ? path.length : slash;
    const component = path.slice(from, end);
    if (component.length > 0 && !(component.length === 1 && component[0] === 0x2e))
      components.push(component);
    from = end + 1;
  }
  return components;
}
