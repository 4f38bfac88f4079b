/**
 * Walks through the trees of a snapshot, directories before their contents, in the order in which they are
 * stored. Nothing recurses, and trees that wait for their turn are let go when they take much memory.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { BackstayError, isBackstayError } from "../../../protocol/backstay-error.ts";
import { idToHex } from "../id.ts";
import type { Repository } from "../repository.ts";
import type { Node } from "../tree/node.ts";
import { TreeReader } from "../tree/tree-decoder.ts";

/** Deeper than any file system that can be used; only hostile repositories nest further. */
const usualDepthMax = 16_384;
const usualHeldBytesMax = 128 * 1024 * 1024;
/** Other work of this thread (signals, progress) gets its turn at least this often. */
const turnMs = 20;
const nodesBetweenLooks = 256;

/** Where the walk is. Valid during a call of the visitor. */
export interface TreePosition {
  /** Id of the tree that the node stands in, 32 bytes. */
  readonly treeId: Uint8Array;
  /** 0 for the entries of the tree where the walk began. */
  readonly depth: number;
  /** A copy of the raw absolute path of the node: `/` and its components. */
  path(): Uint8Array;
}

export interface WalkVisitor {
  /** Told of each node. For a directory, true means: go into it. */
  node(node: Node, position: TreePosition): boolean;
  /** Told after the contents of a directory that was gone into. */
  leave?(position: TreePosition): void;
  /** Told of a directory whose tree can't be read, or ends in damage; the walk goes on after it. Without it the walk rejects. */
  damaged?(error: BackstayError, position: TreePosition): void;
  /** Awaited from time to time, so that a visitor can wait for its output. */
  settle?(): Promise<void>;
}

export interface WalkOptions {
  /** Put before all paths; nothing unless given. */
  readonly base?: Uint8Array;
  /** Directories inside directories; 16,384 unless given. */
  readonly depthMax?: number;
  /** Bytes of trees above the one being read that are kept; beyond it the outermost are read again later. 128 MiB unless given. */
  readonly heldBytesMax?: number;
}

interface Frame {
  readonly treeId: Uint8Array;
  /** Bytes of the path of this directory. */
  readonly pathLength: number;
  reader: TreeReader | undefined;
  heldBytes: number;
  /** Nodes that were given. */
  taken: number;
}

/**
 * Walks the tree `root` (32 bytes). Rejects with REPOSITORY_DAMAGED,
 * BLOB_MISSING or a STORE_… code where trees can't be read, or with the signal's reason.
 */
export async function walkTree(
  repository: Repository,
  root: Uint8Array,
  visitor: WalkVisitor,
  signal: AbortSignal,
  options: WalkOptions = {},
): Promise<void> {
  const walk = new Walk(repository, visitor, signal, options);
  await walk.run(root);
}

class Walk implements TreePosition {
  readonly #repository: Repository;
  readonly #visitor: WalkVisitor;
  readonly #signal: AbortSignal;
  readonly #depthMax: number;
  readonly #heldBytesMax: number;
  readonly #frames: Frame[] = [];
  #path = Buffer.allocUnsafe(4096);
  #pathLength: number;
  #heldBytes = 0;
  #turnAtMs = performance.now();

  constructor(
    repository: Repository,
    visitor: WalkVisitor,
    signal: AbortSignal,
    options: WalkOptions,
  ) {
    const { base = new Uint8Array(0) } = options;
    this.#repository = repository;
    this.#visitor = visitor;
    this.#signal = signal;
    this.#depthMax = options.depthMax ?? usualDepthMax;
    this.#heldBytesMax = options.heldBytesMax ?? usualHeldBytesMax;
    this.#reserve(base.length);
    this.#path.set(base);
    this.#pathLength = base.length;
  }

  get treeId(): Uint8Array {
    return this.#frames[this.#frames.length - 1].treeId;
  }

  get depth(): number {
    return this.#frames.length - 1;
  }

  path(): Uint8Array {
    return this.#pathLength === 0
      ? Uint8Array.of(slash)
      : Uint8Array.prototype.slice.call(this.#path, 0, this.#pathLength);
  }

  async run(root: Uint8Array): Promise<void> {
    await this.#enter(root);
    for (;;) {
      const frame = this.#frames.at(-1);
      if (frame === undefined) break;
      if (frame.reader === undefined) {
        await this.#open(frame);
        continue;
      }
      const subtree = this.#readNodes(frame, frame.reader);
      if (subtree !== undefined) await this.#enter(subtree);
      await this.#giveTurn();
    }
    await this.#visitor.settle?.();
  }

  /**
   * Gives nodes to the visitor until a directory is to be entered (its tree is returned), the tree ends, or
   * others should get a turn.
   */
  #readNodes(frame: Frame, reader: TreeReader): Uint8Array | undefined {
    try {
      for (let count = 0; count < nodesBetweenLooks; count += 1) {
        this.#pathLength = frame.pathLength;
        const node = reader.next();
        if (node === undefined) {
          this.#leave(frame);
          return undefined;
        }
        frame.taken += 1;
        this.#append(node.name);
        if (!this.#visitor.node(node, this) || node.type !== "dir") continue;
        if (node.subtree !== null) return node.subtree;
        this.#report(withoutTree(frame));
        this.#visitor.leave?.(this);
      }
    } catch (error) {
      this.#report(error);
      this.#leave(frame);
    }
    return undefined;
  }

  async #enter(treeId: Uint8Array): Promise<void> {
    if (this.#frames.length >= this.#depthMax)
      throw new BackstayError("REPOSITORY_DAMAGED", {
        tree: idToHex(treeId),
        problem: `directories are nested deeper than ${this.#depthMax}`,
      });
    const frame: Frame = {
      treeId,
      pathLength: this.#pathLength,
      reader: undefined,
      heldBytes: 0,
      taken: 0,
    };
    this.#frames.push(frame);
    await this.#open(frame);
  }

  /** Reads the frame's tree and goes to where it was left. */
  async #open(frame: Frame): Promise<void> {
    this.#signal.throwIfAborted();
    try {
      const bytes = await this.#repository.loadTree(frame.treeId, this.#signal);
      const treeId = idToHex(frame.treeId);
      const reader = new TreeReader(bytes, { treeId, content: "in-place" });
      for (let index = 0; index < frame.taken; index += 1) reader.next();
      frame.reader = reader;
      frame.heldBytes = bytes.length;
      this.#heldBytes += bytes.length;
      this.#letGo(frame);
    } catch (error) {
      this.#pathLength = frame.pathLength;
      this.#report(error);
      this.#leave(frame);
    }
  }

  #letGo(current: Frame): void {
    for (const frame of this.#frames) {
      if (this.#heldBytes <= this.#heldBytesMax || frame === current) return;
      this.#heldBytes -= frame.heldBytes;
      frame.reader = undefined;
      frame.heldBytes = 0;
    }
  }

  #leave(frame: Frame): void {
    this.#frames.pop();
    this.#heldBytes -= frame.heldBytes;
    this.#pathLength = frame.pathLength;
    if (this.#frames.length > 0) this.#visitor.leave?.(this);
  }

  #report(error: unknown): void {
    const isDamage =
      isBackstayError(error, "REPOSITORY_DAMAGED") ||
      isBackstayError(error, "BLOB_MISSING") ||
      isBackstayError(error, "STORE_NOT_FOUND") ||
      isBackstayError(error, "STORE_RANGE");
    if (!isDamage || this.#visitor.damaged === undefined) throw error;
    this.#visitor.damaged(error, this);
  }

  async #giveTurn(): Promise<void> {
    const now = performance.now();
    if (now - this.#turnAtMs < turnMs) return;
    await this.#visitor.settle?.();
    await nextTurn();
    this.#signal.throwIfAborted();
    this.#turnAtMs = performance.now();
  }

  #append(name: Uint8Array): void {
    this.#reserve(this.#pathLength + name.length + 1);
    this.#path[this.#pathLength] = slash;
    this.#path.set(name, this.#pathLength + 1);
    this.#pathLength += name.length + 1;
  }

  #reserve(length: number): void {
    if (this.#path.length >= length) return;
    const larger = Buffer.allocUnsafe(length * 2);
    larger.set(this.#path);
    this.#path = larger;
  }
}

const slash = 0x2f;

function withoutTree(frame: Frame): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", {
    tree: idToHex(frame.treeId),
    problem: "it holds a directory without a tree",
  });
}
