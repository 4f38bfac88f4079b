/** The roots of a backup by the components of their paths, so that a walk knows a root inside another one. */
import { type Device, identityOf } from "./record-identity.ts";

/** A path that is backed up. */
export interface SelectionRoot {
  /** Absolute, without `.`, `..` and empty components. */
  readonly path: Uint8Array;
  /** Its stat record. */
  readonly record: Uint8Array;
}

/** A component on the way to a root, or a root. */
export interface RootNode {
  /** The file system of the root, undefined if none ends here. */
  device: Device | undefined;
  /** By the bytes of their names in latin1. */
  readonly children: Map<string, RootNode>;
}

const slash = 0x2f;

export function rootTree(roots: readonly SelectionRoot[]): RootNode {
  const top: RootNode = { device: undefined, children: new Map() };
  for (const { path, record } of roots) {
    let node = top;
    for (const name of namesOf(path)) {
      const child = node.children.get(name) ?? { device: undefined, children: new Map() };
      node.children.set(name, child);
      node = child;
    }
    node.device = identityOf(record, 0).device;
  }
  return top;
}

/** The node of a path, undefined if no root is there or below. */
export function rootNodeAt(tree: RootNode, path: Uint8Array): RootNode | undefined {
  let node: RootNode | undefined = tree;
  for (const name of namesOf(path)) node = node?.children.get(name);
  return node;
}

/** The node of the entry `names[start, end)` below a node. */
export function rootNodeOf(
  node: RootNode | undefined,
  names: Uint8Array,
  start: number,
  end: number,
): RootNode | undefined {
  if (node === undefined || node.children.size === 0) return undefined;
  return node.children.get(latin1(names.subarray(start, end)));
}

function namesOf(path: Uint8Array): string[] {
  return latin1(path)
    .split(String.fromCharCode(slash))
    .filter((name) => name !== "");
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
