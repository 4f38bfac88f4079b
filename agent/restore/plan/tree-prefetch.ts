/** Loads trees ahead of the walk, several at once, as far as their bytes allow. */
import type { Repository } from "../../repository/repository.ts";
import type { TreeQueue } from "./tree-queue.ts";

const treesAtOnce = 8;
const bytesAtOnce = 64 * 1024 * 1024;
/** Trees kept after use: a snapshot often has one tree in many places. */
const keptBytesMax = 4 * 1024 * 1024;

type Loaded = { readonly bytes: Uint8Array } | { readonly error: unknown };

export class TreePrefetch {
  readonly #repository: Repository;
  readonly #queue: TreeQueue;
  readonly #signal: AbortSignal;
  /** Loads under way, for the first entries of the queue. */
  readonly #ahead: Promise<Loaded>[] = [];
  readonly #aheadBytes: number[] = [];
  #bytes = 0;
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;

  constructor(repository: Repository, queue: TreeQueue, signal: AbortSignal) {
    this.#repository = repository;
    this.#queue = queue;
    this.#signal = signal;
  }

  /** The tree of the entry at the front of the queue, which the caller removes afterwards. Rejects as `Repository.loadTree`. */
  async front(): Promise<Uint8Array> {
    this.#fill();
    const loaded = await this.#ahead.shift();
    this.#bytes -= this.#aheadBytes.shift() ?? 0;
    if (loaded === undefined) throw new Error("the queue is empty");
    if ("error" in loaded) throw loaded.error;
    return loaded.bytes;
  }

  #fill(): void {
    const { blobs } = this.#repository;
    while (this.#ahead.length < Math.min(treesAtOnce, this.#queue.length)) {
      const { id } = this.#queue.at(this.#ahead.length);
      const entry = blobs.find(id, 0, true);
      const bytes = entry < 0 ? 0 : blobs.plainLengthOf(entry);
      if (this.#ahead.length > 0 && this.#bytes + bytes > bytesAtOnce) return;
      this.#ahead.push(this.#load(id.slice()));
      this.#aheadBytes.push(bytes);
      this.#bytes += bytes;
    }
  }

  async #load(id: Uint8Array): Promise<Loaded> {
    const key = Buffer.from(id).toString("latin1");
    const kept = this.#kept.get(key);
    if (kept !== undefined) return { bytes: kept };
    try {
      const bytes = await this.#repository.loadTree(id, this.#signal);
      this.#keep(key, bytes);
      return { bytes };
    } catch (error) {
      return { error };
    }
  }

  #keep(key: string, bytes: Uint8Array): void {
    if (bytes.length > keptBytesMax / 8 || this.#kept.has(key)) return;
    this.#kept.set(key, bytes);
    this.#keptBytes += bytes.length;
    for (const [oldest, held] of this.#kept) {
      if (this.#keptBytes <= keptBytesMax) return;
      this.#kept.delete(oldest);
      this.#keptBytes -= held.length;
    }
  }
}
