/** Which tree refers to which, in numbers: what snapshots need, and where they meet damage. */
import type { Turns } from "../turns.ts";
import { BlobBits } from "./blob-bits.ts";
import { NumberList } from "./number-list.ts";
import type { TreeRecord } from "./tree-records.ts";

/** References that are kept at most: 256 MiB. Only made-up repositories have more. */
const referencesMax = 2 ** 26;
const stepsBetweenLooks = 4096;

export class TreeGraph {
  /** By entry of the blob table: where its references begin, 0 if the tree was not read. */
  readonly #starts: Uint32Array;
  /** By entry: bits of faults. */
  readonly #faults: Uint16Array;
  /** For each tree: the number of its references, and these. */
  readonly #references = new NumberList(1024);
  readonly #turns: Turns;
  /** False if there were more references than can be kept. */
  isComplete = true;

  /** For a blob table of so many entries. */
  constructor(entries: number, turns: Turns) {
    this.#starts = new Uint32Array(entries);
    this.#faults = new Uint16Array(entries);
    this.#references.push(0);
    this.#turns = turns;
  }

  /** Notes a tree; one that is known already stays as it is. */
  add({ entry, faultBits, subtrees }: TreeRecord): void {
    if (this.isRead(entry)) return;
    this.#faults[entry] = faultBits;
    this.#starts[entry] = this.#references.length;
    if (this.#references.length + subtrees.length >= referencesMax) {
      this.isComplete = false;
      this.#references.push(0);
      return;
    }
    this.#references.push(subtrees.length);
    this.#references.pushAll(subtrees);
  }

  isRead(entry: number): boolean {
    return this.#starts[entry] !== 0;
  }

  faultBits(entry: number): number {
    return this.#faults[entry];
  }

  /** Number of trees that a tree refers to; 0 if it was not read. */
  subtreeCount(entry: number): number {
    const start = this.#starts[entry];
    return start === 0 ? 0 : this.#references.at(start);
  }

  /** The tree that a tree refers to at `place`. */
  subtree(entry: number, place: number): number {
    return this.#references.at(this.#starts[entry] + 1 + place);
  }

  /**
   * The trees that the roots need, themselves included. If there are more references than can be kept, every
   * tree that was read counts as needed.
   */
  async reach(roots: Iterable<number>): Promise<BlobBits> {
    const reached = BlobBits.create(this.#starts.length);
    const waiting = new NumberList();
    const visit = (entry: number): void => {
      if (reached.has(entry)) return;
      reached.set(entry);
      waiting.push(entry);
    };
    for (const root of roots) visit(root);
    if (!this.isComplete)
      for (let entry = 0; entry < this.#starts.length; entry += 1)
        if (this.isRead(entry)) visit(entry);
    for (let entry = waiting.pop(), step = 0; entry !== undefined; entry = waiting.pop()) {
      for (let place = this.subtreeCount(entry) - 1; place >= 0; place -= 1)
        visit(this.subtree(entry, place));
      step += 1;
      if (step % stepsBetweenLooks === 0 && this.#turns.isDue) await this.#turns.give();
    }
    return reached;
  }

  /** The trees of the roots that are `hurt` themselves or have such a tree below them. */
  async leadingTo(roots: Iterable<number>, isHurt: (entry: number) => boolean): Promise<BlobBits> {
    const leading = BlobBits.create(this.#starts.length);
    const seen = BlobBits.create(this.#starts.length);
    // A tree and the place of the reference to follow next, for each level above.
    const path = new NumberList();
    for (const root of roots) {
      if (seen.has(root)) continue;
      this.#enter(root, path, seen, leading, isHurt);
      for (let step = 1; path.length > 0; step += 1) {
        this.#follow(path, seen, leading, isHurt);
        if (step % stepsBetweenLooks === 0 && this.#turns.isDue) await this.#turns.give();
      }
    }
    return leading;
  }

  #enter(
    entry: number,
    path: NumberList,
    seen: BlobBits,
    leading: BlobBits,
    isHurt: (entry: number) => boolean,
  ): void {
    seen.set(entry);
    if (isHurt(entry)) leading.set(entry);
    path.push(entry);
    path.push(0);
  }

  /** One step of a walk in depth: goes down, or back up when nothing is left below. */
  #follow(
    path: NumberList,
    seen: BlobBits,
    leading: BlobBits,
    isHurt: (entry: number) => boolean,
  ): void {
    const entry = path.at(path.length - 2);
    const place = path.at(path.length - 1);
    if (place < this.subtreeCount(entry)) {
      path.set(path.length - 1, place + 1);
      const subtree = this.subtree(entry, place);
      if (!seen.has(subtree)) this.#enter(subtree, path, seen, leading, isHurt);
      else if (leading.has(subtree)) leading.set(entry);
      return;
    }
    path.pop();
    path.pop();
    if (path.length > 0 && leading.has(entry)) leading.set(path.at(path.length - 2));
  }
}
