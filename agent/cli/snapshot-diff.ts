/**
 * Compares two trees name by name. What the two have in common is not read twice: equal directories are
 * walked once, only to know which blobs both use.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Repository } from "../repository/repository.ts";
import type { Node } from "../repository/tree/node.ts";
import { sameContent, sameMetadata, sameNode } from "../repository/tree/node-equality.ts";
import { walkTree } from "../repository/walk/tree-walker.ts";
import { BlobMarks } from "./blob-marks.ts";
import { SortedNodes } from "./sorted-nodes.ts";

export interface DiffCounts {
  files: number;
  dirs: number;
  others: number;
  dataBlobs: number;
  treeBlobs: number;
  /** Plain bytes of the blobs that only this side uses. */
  bytes: number;
}

export interface DiffResult {
  readonly changedFiles: number;
  readonly added: DiffCounts;
  readonly removed: DiffCounts;
}

export interface DiffEvents {
  /** Report entries of which only metadata differs. */
  readonly metadata: boolean;
  /** `modifier` is `+`, `-`, or any of `T`, `M`, `U`, `?`; paths of directories end with `/`. */
  change(modifier: string, path: Uint8Array): void;
  damaged(path: Uint8Array, error: BackstayError): void;
  settle(): Promise<void>;
}

type Mark = (typeof marks)[keyof typeof marks];
const marks = { before: 1, after: 2, common: 4 } as const;

/** A pair of directories under comparison. */
interface Frame {
  readonly path: Uint8Array;
  readonly before: SortedNodes;
  readonly after: SortedNodes;
}

const nodesBetweenTurns = 4096;
const slash = Buffer.from("/");

/** For one comparison. */
export class SnapshotDiff {
  readonly #repository: Repository;
  readonly #events: DiffEvents;
  readonly #blobs: BlobMarks;
  readonly #counts = { added: noCounts(), removed: noCounts() };
  #changedFiles = 0;

  /** `loadIndex` must have been called. */
  constructor(repository: Repository, events: DiffEvents) {
    this.#repository = repository;
    this.#events = events;
    this.#blobs = new BlobMarks(repository.blobs);
  }

  /** Compares the trees with these ids. Rejects with the signal's reason, or as trees can't be read at all. */
  async run(before: Uint8Array, after: Uint8Array, signal: AbortSignal): Promise<DiffResult> {
    this.#blobs.mark(before, 0, true, marks.before);
    this.#blobs.mark(after, 0, true, marks.after);
    const stack: Frame[] = [];
    await this.#enter(stack, slash, before, after, signal);
    let nodes = 0;
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      if (!(await this.#step(stack, frame, signal))) stack.pop();
      nodes += 1;
      if (nodes % nodesBetweenTurns !== 0) continue;
      await this.#events.settle();
      await nextTurn();
      signal.throwIfAborted();
    }
    this.#countBlobs();
    await this.#events.settle();
    return { changedFiles: this.#changedFiles, ...this.#counts };
  }

  async #enter(
    stack: Frame[],
    path: Uint8Array,
    before: Uint8Array,
    after: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      if (Buffer.compare(before, after) === 0) {
        await this.#walk(before, path, marks.common, undefined, signal);
        return;
      }
      stack.push({
        path,
        before: await SortedNodes.load(this.#repository, before, signal),
        after: await SortedNodes.load(this.#repository, after, signal),
      });
    } catch (error) {
      this.#report(path, error);
    }
  }

  /** Compares the next name of a frame; false if there is none. */
  async #step(stack: Frame[], frame: Frame, signal: AbortSignal): Promise<boolean> {
    const { before, after, path } = frame;
    const old = before.current;
    const fresh = after.current;
    if (old === undefined && fresh === undefined) return false;
    const order =
      old === undefined ? 1 : fresh === undefined ? -1 : Buffer.compare(old.name, fresh.name);
    if (order <= 0) before.advance();
    if (order >= 0) after.advance();
    if (old !== undefined && order < 0) await this.#oneSided("-", old, path, signal);
    else if (fresh !== undefined && order > 0) await this.#oneSided("+", fresh, path, signal);
    else if (old !== undefined && fresh !== undefined)
      await this.#bothSided(stack, old, fresh, path, signal);
    return true;
  }

  async #bothSided(
    stack: Frame[],
    old: Node,
    fresh: Node,
    folder: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    this.#markNode(old, marks.before);
    this.#markNode(fresh, marks.after);
    const path = pathOf(folder, fresh);
    let modifier = old.type === fresh.type ? "" : "T";
    const bothFiles = old.type === "file" && fresh.type === "file";
    if (bothFiles && !sameContent(old, fresh)) {
      this.#changedFiles += 1;
      modifier += sameMetadata(old, fresh) ? "M?" : "M";
    } else if (this.#events.metadata && !sameNode(old, fresh)) {
      modifier += "U";
    }
    if (modifier !== "") this.#events.change(modifier, path);
    if (old.subtree !== null && fresh.subtree !== null)
      await this.#enter(stack, path, old.subtree, fresh.subtree, signal);
  }

  async #oneSided(
    modifier: "+" | "-",
    node: Node,
    folder: Uint8Array,
    signal: AbortSignal,
  ): Promise<void> {
    const counts = modifier === "+" ? this.#counts.added : this.#counts.removed;
    const mark = modifier === "+" ? marks.after : marks.before;
    const path = pathOf(folder, node);
    const note = (each: Node, eachPath: Uint8Array): void => {
      this.#events.change(modifier, eachPath);
      countNode(counts, each);
    };
    note(node, path);
    this.#markNode(node, mark);
    if (node.type === "dir" && node.subtree !== null)
      await this.#walk(node.subtree, path, mark, note, signal);
  }

  /** Marks everything below a directory; tells `note` of each entry. */
  async #walk(
    tree: Uint8Array,
    path: Uint8Array,
    mark: Mark,
    note: ((node: Node, path: Uint8Array) => void) | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    await walkTree(
      this.#repository,
      tree,
      {
        node: (node, position) => {
          if (note !== undefined)
            note(node, node.type === "dir" ? withSlash(position.path()) : position.path());
          const isNew = this.#markNode(node, mark);
          // A directory that is already marked has nothing new below.
          return node.type === "dir" && (isNew || note !== undefined);
        },
        damaged: (error, position) => this.#events.damaged(position.path(), error),
        settle: () => this.#events.settle(),
      },
      signal,
      { base: path.subarray(0, path.length - 1) },
    );
  }

  /** Marks what a node refers to; true if its tree was not marked before. */
  #markNode(node: Node, mark: Mark): boolean {
    const { content, subtree } = node;
    if (content !== null)
      for (let at = 0; at < content.length; at += 32) this.#blobs.mark(content, at, false, mark);
    return subtree !== null && this.#blobs.mark(subtree, 0, true, mark);
  }

  #countBlobs(): void {
    const { added, removed } = this.#counts;
    for (const { marked, isTree, plainBytes } of this.#blobs.all()) {
      if (marked !== marks.before && marked !== marks.after) continue;
      const counts = marked === marks.before ? removed : added;
      if (isTree) counts.treeBlobs += 1;
      else counts.dataBlobs += 1;
      counts.bytes += plainBytes;
    }
  }

  #report(path: Uint8Array, error: unknown): void {
    const codes = ["REPOSITORY_DAMAGED", "BLOB_MISSING", "STORE_NOT_FOUND", "STORE_RANGE"] as const;
    if (!isBackstayError(error) || !codes.some((code) => error.code === code)) throw error;
    this.#events.damaged(path, error);
  }
}

function noCounts(): DiffCounts {
  return { files: 0, dirs: 0, others: 0, dataBlobs: 0, treeBlobs: 0, bytes: 0 };
}

function countNode(counts: DiffCounts, node: Node): void {
  if (node.type === "file") counts.files += 1;
  else if (node.type === "dir") counts.dirs += 1;
  else counts.others += 1;
}

function pathOf(folder: Uint8Array, node: Node): Uint8Array {
  const path = Buffer.concat([folder, node.name]);
  return node.type === "dir" ? withSlash(path) : path;
}

function withSlash(path: Uint8Array): Uint8Array {
  return Buffer.concat([path, slash]);
}
