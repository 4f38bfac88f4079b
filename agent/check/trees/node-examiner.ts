/** Looks at the nodes of trees for everything that a restore would stumble over. */

import { idToHex } from "../../repository/id.ts";
import type { BlobTable } from "../../repository/index/blob-table.ts";
import { utf8Text } from "../../repository/json/utf8.ts";
import { quoteName } from "../../repository/tree/go-quote.ts";
import type { Node } from "../../repository/tree/node.ts";
import { NodeOrder, nodeNameProblem, nodeShapeProblem } from "../../repository/tree/node-rules.ts";
import type { CheckProblemKind } from "../report/check-report.ts";
import type { BlobBits } from "./blob-bits.ts";

/** What can be wrong with a tree, as bits of a small number that threads tell each other. */
export const treeFaults = [
  "tree-malformed",
  "node-order",
  "node-duplicate",
  "node-name",
  "node-shape",
  "node-type",
  "blob-missing",
  "tree-missing",
  "blob-type",
  "file-size",
] as const satisfies readonly CheckProblemKind[];
export type TreeFault = (typeof treeFaults)[number];

/** Names in texts are cut after so many bytes. */
const shownNameBytesMax = 200;

export function faultBit(fault: TreeFault): number {
  return 1 << treeFaults.indexOf(fault);
}

/** The faults whose bits are set. */
export function faultsOf(bits: number): TreeFault[] {
  return treeFaults.filter((_, bit) => (bits & (1 << bit)) !== 0);
}

export const malformedBit = faultBit("tree-malformed");
const orderBit = faultBit("node-order");
const duplicateBit = faultBit("node-duplicate");
const nameBit = faultBit("node-name");
const shapeBit = faultBit("node-shape");
const typeBit = faultBit("node-type");
const blobMissingBit = faultBit("blob-missing");
const treeMissingBit = faultBit("tree-missing");
const blobTypeBit = faultBit("blob-type");
const sizeBit = faultBit("file-size");

/** Follows the nodes of one tree after the other. */
export class NodeExaminer {
  readonly #table: BlobTable;
  readonly #hurt: BlobBits | undefined;
  #order = new NodeOrder();
  /** After `look`: entry of the tree of a directory, -1 if there is none. */
  subtree = -1;
  /** After `look`: numbers of the packs that hold hurt blobs of the file. */
  readonly hurtPacks = new Set<number>();
  /** After `look`: bytes of the file by the lengths of its blobs. */
  contentBytes = 0;

  /** `hurt` are the blobs that can't be had; without it none is looked for. */
  constructor(table: BlobTable, hurt?: BlobBits) {
    this.#table = table;
    this.#hurt = hurt;
  }

  /** The next nodes are those of another tree. */
  beginTree(): void {
    this.#order = new NodeOrder();
  }

  /** Bits of the faults of the next node of the tree. */
  look(node: Node): number {
    this.subtree = -1;
    if (this.hurtPacks.size > 0) this.hurtPacks.clear();
    let bits = this.#lookAtName(node.name);
    if (nodeShapeProblem(node) !== undefined) bits |= shapeBit;
    if (node.type === "file" && node.content !== null)
      bits |= this.#lookAtContent(node.content, node.size);
    else if (node.type === "dir" && node.subtree !== null)
      bits |= this.#lookAtSubtree(node.subtree);
    return bits;
  }

  /** The same for a node of a type that is not known. */
  lookAtUnknown(name: Uint8Array): number {
    return typeBit | this.#lookAtName(name);
  }

  /** Says for people what a fault of a node is that `look` found just now. */
  describe(node: Node, fault: TreeFault): string {
    const name = shownName(node.name);
    if (fault === "node-name") return `${name}: ${nodeNameProblem(node.name)}`;
    if (fault === "node-shape") return `${name}: ${nodeShapeProblem(node)}`;
    if (fault === "node-order") return `${name} comes after a name that is greater`;
    if (fault === "node-duplicate") return `${name} comes twice`;
    if (fault === "file-size")
      return `${name}: size ${node.size}, content of ${this.contentBytes} bytes`;
    if (fault === "tree-missing" || (fault === "blob-type" && node.subtree !== null))
      return `${name}: tree ${node.subtree === null ? "" : idToHex(node.subtree)}`;
    if (fault === "blob-missing" || fault === "blob-type")
      return `${name}: blob ${this.#firstUnknownBlob(node.content)}`;
    return name;
  }

  #lookAtName(name: Uint8Array): number {
    const bits = nodeNameProblem(name) === undefined ? 0 : nameBit;
    const order = this.#order.accept(name);
    if (order === "ascending") return bits;
    return bits | (order === "duplicate" ? duplicateBit : orderBit);
  }

  #lookAtContent(content: Uint8Array, size: number): number {
    const table = this.#table;
    const hurt = this.#hurt;
    let bits = 0;
    let bytes = 0;
    for (let at = 0; at < content.length; at += 32) {
      const entry = table.find(content, at, false);
      if (entry < 0) {
        bits |= table.find(content, at, true) < 0 ? blobMissingBit : blobTypeBit;
        continue;
      }
      bytes += table.plainLengthOf(entry);
      if (hurt?.has(entry) === true) this.hurtPacks.add(table.packOf(entry));
    }
    this.contentBytes = bytes;
    return bits === 0 && bytes !== size ? sizeBit : bits;
  }

  #lookAtSubtree(subtree: Uint8Array): number {
    this.subtree = this.#table.find(subtree, 0, true);
    if (this.subtree >= 0) return 0;
    return this.#table.find(subtree, 0, false) < 0 ? treeMissingBit : blobTypeBit;
  }

  #firstUnknownBlob(content: Uint8Array | null): string {
    for (let at = 0; content !== null && at < content.length; at += 32)
      if (this.#table.find(content, at, false) < 0) return idToHex(content, at);
    return "";
  }
}

/** A name in double quotes, with escapes for what can't be shown. */
export function shownName(name: Uint8Array): string {
  const isCut = name.length > shownNameBytesMax;
  const shown = utf8Text(quoteName(isCut ? name.subarray(0, shownNameBytesMax) : name));
  return `"${shown}"${isCut ? "…" : ""}`;
}
