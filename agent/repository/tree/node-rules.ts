/** What a node of a foreign repository must satisfy before anybody acts on it. */
import type { Node } from "./node.ts";

/**
 * Why a name may not be used as one path component, or undefined if it may: empty, `.`, `..`, or with a
 * slash or a NUL inside. Whoever restores or checks must skip and report such a node. Long names are fine
 * here: what a file system takes is not this file's to know.
 */
export function nodeNameProblem(name: Uint8Array): string | undefined {
  if (name.length === 0) return "empty name";
  if (name[0] === 0x2e && (name.length === 1 || (name.length === 2 && name[1] === 0x2e))) {
    return name.length === 1 ? "name is ." : "name is ..";
  }
  for (let index = 0; index < name.length; index += 1) {
    if (name[index] === 0x2f) return "name contains /";
    if (name[index] === 0) return "name contains NUL";
  }
  return undefined;
}

/** What a node of its type lacks, or has but must not have; undefined if nothing. Its name is not looked at. */
export function nodeShapeProblem(node: Node): string | undefined {
  if (node.type === "file" && node.content === null) return "file without content";
  if (node.type === "dir" && node.subtree === null) return "directory without tree";
  if (node.type !== "file" && node.content !== null && node.content.length > 0) {
    return `${node.type} with content`;
  }
  if (node.type !== "dir" && node.subtree !== null) return `${node.type} with a tree`;
  return undefined;
}

/** Follows the names of one tree, which must ascend by their raw bytes, each name once. */
export class NodeOrder {
  #last: Uint8Array | undefined;

  /**
   * Where `name` stands after the names before it: `descending` names are compared with the greatest
   * so far, and only names next to each other are found to be `duplicate`.
   */
  accept(name: Uint8Array): "ascending" | "duplicate" | "descending" {
    const order = this.#last === undefined ? 1 : Buffer.compare(name, this.#last);
    if (order > 0) this.#last = name;
    return order > 0 ? "ascending" : order === 0 ? "duplicate" : "descending";
  }
}
