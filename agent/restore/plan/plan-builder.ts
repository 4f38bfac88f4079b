/**
 * Walks the trees of a snapshot and writes the plan. The trees may be hostile: names are checked before they
 * reach a file system, depth and size are bounded, nothing recurses, and one bad folder does not stop the rest.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { largeBlobBytesMin } from "../../repository/blob/blob-opener.ts";
import type { Repository } from "../../repository/repository.ts";
import type { Node } from "../../repository/tree/node.ts";
import { nodeNameProblem, nodeShapeProblem } from "../../repository/tree/node-rules.ts";
import { TreeReader } from "../../repository/tree/tree-decoder.ts";
import { type IssueList, showPath } from "../restore-issues.ts";
import { HardLinks } from "./hard-links.ts";
import { missingEntry, RestorePlan, rowFlag, rowKind, rowState } from "./restore-plan.ts";
import { judge, type SelectionScope } from "./selection.ts";
import { SiblingNames } from "./sibling-names.ts";
import { TreePrefetch } from "./tree-prefetch.ts";
import { TreeQueue } from "./tree-queue.ts";

export interface PlanLimits {
  /** Bytes of memory that the plan may take; about 80 for an entry and 16 for a blob. */
  readonly planBytesMax: number;
  /** Folders inside folders. */
  readonly depthMax: number;
}

export const usualLimits: PlanLimits = { planBytesMax: 768 * 1024 * 1024, depthMax: 4096 };

export interface PlanRequest {
  readonly repository: Repository;
  /** Where the walk begins. */
  readonly start: PlanStart;
  readonly selection: SelectionScope;
  /** The target takes names that differ only in case for the same. */
  readonly foldsNames: boolean;
  readonly limits: PlanLimits;
  readonly issues: IssueList;
  /** Told after each folder how many entries were found and how many bytes their files have. */
  readonly onProgress: (entries: number, bytes: number) => void;
  readonly signal: AbortSignal;
}

/** A tree whose entries go into the target, or one node that goes there itself. */
export type PlanStart = { readonly tree: Uint8Array } | { readonly node: Node };

/** What the plan leaves out, besides issues. */
export interface PlanTotals {
  readonly entries: number;
  readonly bytes: number;
  /** Nodes with attributes of Windows, which are not restored here. */
  readonly foreignAttributes: number;
}

/** Longer names fit on no file system that we write to. */
const nameBytesMax = 255;

/** Writers cut files into blobs of 8 MiB at most; some allow more. */
const fileBlobBytesMax = 128 * 1024 * 1024;

/** Nodes between two looks at the clock and the signal. */
const nodesPerTurn = 8192;

export class PlanBuilder {
  readonly plan: RestorePlan = RestorePlan.create();
  readonly #request: PlanRequest;
  readonly #queue = new TreeQueue();
  readonly #links = new HardLinks();
  #entries = 0;
  #bytes = 0;
  #foreignAttributes = 0;
  #nodes = 0;

  constructor(request: PlanRequest) {
    this.#request = request;
  }

  /**
   * Fills `plan`. Rejects with RESTORE_TOO_LARGE if the snapshot goes beyond the limits, else only when
   * aborted or when the store can't be reached: what is damaged becomes an issue.
   */
  async build(): Promise<PlanTotals> {
    const { start, selection } = this.#request;
    if ("tree" in start) this.#queue.push(0, start.tree, selection);
    else {
      const first = this.plan.rows;
      const names = new SiblingNames(false, () => []);
      if (this.#isSound(0, start.node, names)) this.#addNode(0, start.node, selection, 1);
      this.plan.setRange(0, first, this.plan.rows - first);
    }
    await this.#walk();
    this.#request.onProgress(this.#entries, this.#bytes);
    return {
      entries: this.#entries,
      bytes: this.#bytes,
      foreignAttributes: this.#foreignAttributes,
    };
  }

  async #walk(): Promise<void> {
    const { repository, signal, limits } = this.#request;
    const prefetch = new TreePrefetch(repository, this.#queue, signal);
    let depth = 1;
    let levelEnd = this.plan.rows;
    while (this.#queue.length > 0) {
      const { row, scope } = this.#queue.at(0);
      if (row >= levelEnd) {
        depth += 1;
        levelEnd = this.plan.rows;
      }
      this.plan.setRange(row, this.plan.rows, 0);
      try {
        const bytes = await prefetch.front();
        await this.#addTree(row, bytes, scope, depth);
        // Hundreds of megabytes are not left to the collector.
        if (bytes.length > largeBlobBytesMin) (bytes.buffer as ArrayBuffer).transfer(0);
      } catch (error) {
        if (!isLocal(error)) throw error;
        this.plan.setFlag(row, rowFlag.incomplete);
        this.#issue("damaged", row, `the list of this folder's entries: ${error.message}`);
      }
      this.#queue.shift();
      this.#request.onProgress(this.#entries, this.#bytes);
      if (this.plan.sizeBytes > limits.planBytesMax)
        throw new BackstayError("RESTORE_TOO_LARGE", {
          entries: this.plan.rows,
          limit: `${Math.floor(limits.planBytesMax / 1024 / 1024)} MiB`,
        });
    }
  }

  async #addTree(
    parent: number,
    bytes: Uint8Array,
    scope: SelectionScope,
    depth: number,
  ): Promise<void> {
    const { plan } = this;
    const first = plan.rows;
    const names = new SiblingNames(this.#request.foldsNames, () => namesFrom(plan, first));
    const reader = new TreeReader(bytes, {
      // Trees that are kept to be read again are too short for any long list.
      content: "in-place",
      onUnknownType: (name, type) => {
        this.#refuse(parent, name, `an entry of the unknown type ${JSON.stringify(type)}`);
      },
    });
    try {
      for (let node = reader.next(); node !== undefined; node = reader.next()) {
        this.#nodes += 1;
        if (this.#nodes % nodesPerTurn === 0) await this.#pause();
        if (this.#isSound(parent, node, names)) this.#addNode(parent, node, scope, depth);
      }
    } finally {
      plan.setRange(parent, first, plan.rows - first);
    }
  }

  async #pause(): Promise<void> {
    this.#request.onProgress(this.#entries, this.#bytes);
    await nextTurn();
    this.#request.signal.throwIfAborted();
  }

  /** False for a node that is refused; it has been reported then. */
  #isSound(parent: number, node: Node, names: SiblingNames): boolean {
    let problem = nodeNameProblem(node.name) ?? nodeShapeProblem(node);
    if (problem === undefined && node.name.length > nameBytesMax)
      problem = "name is longer than 255 bytes";
    if (problem === undefined && !names.accept(node.name))
      problem = "another entry of this folder has the same name";
    if (problem === undefined) return true;
    this.#refuse(parent, node.name, problem);
    return false;
  }

  #refuse(parent: number, name: Uint8Array, problem: string): void {
    this.plan.setFlag(parent, rowFlag.incomplete);
    const path = joinPath(this.plan.pathOf(parent), name.subarray(0, 300));
    this.#request.issues.add({
      severity: "error",
      kind: "refused",
      path: showPath(path),
      text: problem,
    });
  }

  #addNode(parent: number, node: Node, scope: SelectionScope, depth: number): void {
    const isDirectory = node.type === "dir";
    const verdict = judge(scope, node.name, isDirectory);
    if (!verdict.selected && !(isDirectory && verdict.enter)) return;
    if (isDirectory && depth >= this.#request.limits.depthMax) {
      this.#refuse(parent, node.name, "too many folders inside each other");
      return;
    }
    const { plan } = this;
    const row = plan.addRow(parent, node, verdict.selected ? rowFlag.selected : 0);
    if (verdict.selected) this.#select(row, node);
    if (isDirectory && node.subtree !== null)
      this.#queue.push(row, node.subtree, scope?.enter(node.name));
    else if (node.content !== null) this.#addContent(row, node, node.content);
    if (!isDirectory) this.#findLink(row, node);
  }

  #select(row: number, node: Node): void {
    const { plan } = this;
    this.#entries += 1;
    if (node.genericAttributes !== undefined) this.#foreignAttributes += 1;
    for (let at = row; !plan.hasFlag(at, rowFlag.needed); at = plan.parentOf(at)) {
      plan.setFlag(at, rowFlag.needed);
      if (at === 0) return;
    }
  }

  #addContent(row: number, node: Node, content: Uint8Array): void {
    const { plan } = this;
    const { blobs } = this.#request.repository;
    const first = plan.refs;
    let offset = 0;
    let missing = 0;
    for (let at = 0; at < content.length; at += 32) {
      const entry = this.#findBlob(content, at);
      plan.addRef(entry, row, offset);
      if (entry === missingEntry) missing += 1;
      else offset += blobs.plainLengthOf(entry);
    }
    const count = plan.refs - first;
    plan.setRange(row, first, count);
    if (missing > 0) this.#noteMissing(row, missing, count);
    else if (offset !== node.size) this.#correctSize(row, node.size, offset);
    this.#bytes += plan.sizeOf(row);
  }

  /** Lengths come from the index, which may lie: what no writer makes is not fetched. */
  #findBlob(ids: Uint8Array, at: number): number {
    const { blobs } = this.#request.repository;
    const entry = blobs.find(ids, at, false);
    if (entry < 0 || blobs.packOf(entry) < 0) return missingEntry;
    const longest = Math.max(blobs.storedLengthOf(entry), blobs.plainLengthOf(entry));
    return longest > fileBlobBytesMax ? missingEntry : entry;
  }

  /** Without the lengths of all its blobs nobody knows where in the file the others belong. */
  #noteMissing(row: number, missing: number, count: number): void {
    this.plan.setState(row, rowState.damaged);
    this.#issue(
      "damaged",
      row,
      `${missing} of its ${count} blobs are in no index, or larger than any file's blob`,
    );
  }

  #correctSize(row: number, claimed: number, real: number): void {
    this.plan.setSize(row, real);
    this.#issue(
      "damaged",
      row,
      `its blobs have ${real} bytes, but it should have ${claimed}; restored as far as it goes`,
    );
  }

  #findLink(row: number, node: Node): void {
    if (node.links <= 1n || node.inode === 0n) return;
    const leader = this.#links.firstOf(node.inode, node.deviceId, row);
    if (leader < 0 || !this.#isSame(leader, row)) return;
    this.plan.setLink(row, leader);
    if (node.type === "file") this.#bytes -= this.plan.sizeOf(row);
  }

  /** Two names of one file have one content; if they don't, the snapshot is taken at its word. */
  #isSame(leader: number, row: number): boolean {
    const { plan } = this;
    if (plan.kindOf(leader) !== plan.kindOf(row)) return false;
    if (plan.kindOf(row) !== rowKind.file) {
      const [a, b] = [plan.extraOf(leader), plan.extraOf(row)];
      return Buffer.compare(a.linkTarget, b.linkTarget) === 0 && a.device === b.device;
    }
    const count = plan.countOf(row);
    if (plan.countOf(leader) !== count || plan.sizeOf(leader) !== plan.sizeOf(row)) return false;
    for (let i = 0; i < count; i += 1) {
      if (plan.entryOf(plan.firstOf(leader) + i) !== plan.entryOf(plan.firstOf(row) + i))
        return false;
    }
    return true;
  }

  #issue(kind: "damaged", row: number, text: string): void {
    const path = showPath(this.plan.pathOf(row));
    this.#request.issues.add({ severity: "error", kind, path, text });
  }
}

function* namesFrom(plan: RestorePlan, first: number): Generator<Uint8Array> {
  for (let row = first; row < plan.rows; row += 1) yield plan.nameOf(row);
}

function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array {
  return parent.length === 0 ? name : Buffer.concat([parent, Buffer.from("/"), name]);
}

/** True for failures that concern one tree only. */
function isLocal(error: unknown): error is BackstayError {
  if (!isBackstayError(error)) return false;
  return error.code !== "RESTORE_TOO_LARGE" && error.kind === "permanent";
}
