/** Finds what lies at a path of a snapshot, reading only the trees on the way. */
import { BackstayError } from "../../../protocol/backstay-error.ts";
import { idToHex } from "../id.ts";
import { utf8Text } from "../json/utf8.ts";
import type { Repository } from "../repository.ts";
import type { Node } from "../tree/node.ts";
import { TreeReader } from "../tree/tree-decoder.ts";

const slash = 0x2f;

/** The components of a path inside a snapshot; empty ones and `.` are passed over. USAGE if one is `..`. */
export function pathComponents(path: Uint8Array): Uint8Array[] {
  const components: Uint8Array[] = [];
  for (let start = 0; start <= path.length; ) {
    const found = path.indexOf(slash, start);
    const end = found < 0 ? path.length : found;
    const component = path.subarray(start, end);
    start = end + 1;
    if (isDots(component, 2))
      throw new BackstayError("USAGE", {
        path: utf8Text(path),
        problem: "a path may not hold `..`",
      });
    if (component.length > 0 && !isDots(component, 1)) components.push(component);
  }
  return components;
}

/**
 * The node at `path` below the tree `root`; undefined for the root itself, which has no node. PATH_NOT_FOUND
 * if there is none, otherwise rejects as `Repository.loadTree` and the tree's reader do.
 */
export async function findNode(
  repository: Repository,
  root: Uint8Array,
  path: Uint8Array,
  signal: AbortSignal,
): Promise<Node | undefined> {
  let tree: Uint8Array | null = root;
  let node: Node | undefined;
  for (const component of pathComponents(path)) {
    if (tree === null) throw new BackstayError("PATH_NOT_FOUND", { path: utf8Text(path) });
    node = await findInTree(repository, tree, component, signal);
    if (node === undefined) throw new BackstayError("PATH_NOT_FOUND", { path: utf8Text(path) });
    tree = node.subtree;
  }
  return node;
}

/** The id of the tree of the directory at `path`. PATH_NOT_FOUND if there is no directory. */
export async function findDirectory(
  repository: Repository,
  root: Uint8Array,
  path: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const node = await findNode(repository, root, path, signal);
  if (node === undefined) return root;
  if (node.subtree === null)
    throw new BackstayError("PATH_NOT_FOUND", {
      path: utf8Text(path),
      problem: `this is a ${node.type}, not a directory`,
    });
  return node.subtree;
}

async function findInTree(
  repository: Repository,
  tree: Uint8Array,
  name: Uint8Array,
  signal: AbortSignal,
): Promise<Node | undefined> {
  const bytes = await repository.loadTree(tree, signal);
  const reader = new TreeReader(bytes, { treeId: idToHex(tree), content: "in-place" });
  for (let node = reader.next(); node !== undefined; node = reader.next())
    if (Buffer.compare(node.name, name) === 0) return node;
  return undefined;
}

function isDots(component: Uint8Array, count: number): boolean {
  return component.length === count && component.every((byte) => byte === 0x2e);
}
