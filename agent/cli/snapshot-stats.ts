/** Counts what snapshots hold, in the four ways of restic's `stats`. */
import { createHash } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { idToHex } from "../repository/id.ts";
import type { BlobTable } from "../repository/index/blob-table.ts";
import type { Repository } from "../repository/repository.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import type { Node } from "../repository/tree/node.ts";
import { type TreePosition, walkTree } from "../repository/walk/tree-walker.ts";
import { BlobMarks } from "./blob-marks.ts";

export const statsModes = [
  "restore-size",
  "files-by-contents",
  "blobs-per-file",
  "raw-data",
] as const;
export type StatsMode = (typeof statsModes)[number];

/** Numbers that a mode does not count are 0. */
export interface SnapshotStats {
  snapshots: number;
  files: number;
  blobs: number;
  totalBytes: number;
  /** Of the rest only `raw-data` knows: bytes with seals, but without compression. */
  uncompressedBytes: number;
  /** How many times larger the compressed blobs are without compression. */
  compressionRatio: number;
  /** How much of the data is stored compressed. */
  compressedPercent: number;
  savedPercent: number;
}

export interface StatsEvents {
  damaged(path: Uint8Array, error: BackstayError): void;
}

const sealOverheadBytes = 32;

/** Counts all snapshots together. `loadIndex` must have been called. Rejects as trees and signal do. */
export async function countSnapshots(
  repository: Repository,
  snapshots: readonly NamedSnapshot[],
  mode: StatsMode,
  signal: AbortSignal,
  events: StatsEvents,
): Promise<SnapshotStats> {
  const counter = counterOf(mode, repository.blobs);
  for (const { snapshot } of snapshots) {
    counter.beginSnapshot(snapshot.tree);
    await walkTree(
      repository,
      snapshot.tree,
      {
        node: (node, position) => counter.node(node, position),
        damaged: (error, position) => events.damaged(position.path(), error),
      },
      signal,
    );
  }
  return { ...noStats, snapshots: snapshots.length, ...counter.result() };
}

const noStats: SnapshotStats = {
  snapshots: 0,
  files: 0,
  blobs: 0,
  totalBytes: 0,
  uncompressedBytes: 0,
  compressionRatio: 0,
  compressedPercent: 0,
  savedPercent: 0,
};

interface Counter {
  beginSnapshot(tree: Uint8Array): void;
  /** True if a directory must be gone into. */
  node(node: Node, position: TreePosition): boolean;
  result(): Partial<SnapshotStats>;
}

function counterOf(mode: StatsMode, table: BlobTable): Counter {
  switch (mode) {
    case "restore-size":
      return new RestoreSizeCounter();
    case "files-by-contents":
      return new ContentsCounter();
    case "blobs-per-file":
      return new BlobsPerFileCounter(table);
    case "raw-data":
      return new RawDataCounter(table);
    default:
      return mode satisfies never;
  }
}

class RestoreSizeCounter implements Counter {
  readonly #links = new Set<string>();
  #files = 0;
  #bytes = 0;

  beginSnapshot(): void {
    this.#links.clear();
  }

  node(node: Node): boolean {
    this.#files += 1;
    if (node.links === 1n || node.type === "dir" || node.inode === 0n) {
      this.#bytes += node.size;
    } else {
      // Names of one file: its bytes are restored once.
      const key = `${node.deviceId}:${node.inode}`;
      if (!this.#links.has(key)) this.#bytes += node.size;
      this.#links.add(key);
    }
    return true;
  }

  result(): Partial<SnapshotStats> {
    return { files: this.#files, totalBytes: this.#bytes };
  }
}

class ContentsCounter implements Counter {
  readonly #contents = new Set<string>();
  #bytes = 0;

  beginSnapshot(): void {}

  node(node: Node): boolean {
    if (isNew(this.#contents, contentKey(node))) this.#bytes += node.size;
    return true;
  }

  result(): Partial<SnapshotStats> {
    return { files: this.#contents.size, totalBytes: this.#bytes };
  }
}

class BlobsPerFileCounter implements Counter {
  readonly #table: BlobTable;
  readonly #contents = new Set<string>();
  readonly #files = new Set<string>();
  readonly #uses = new Set<string>();
  #bytes = 0;

  constructor(table: BlobTable) {
    this.#table = table;
  }

  beginSnapshot(): void {}

  node(node: Node, position: TreePosition): boolean {
    const { content } = node;
    if (!isNew(this.#contents, contentKey(node)) || content === null || content.length === 0)
      return true;
    const path = Buffer.from(position.path()).toString("latin1");
    this.#files.add(path);
    for (let at = 0; at < content.length; at += 32) {
      const entry = this.#table.find(content, at, false);
      if (entry < 0) throw new BackstayError("BLOB_MISSING", { blob: idToHex(content, at) });
      if (isNew(this.#uses, `${entry} ${path}`)) this.#bytes += this.#table.plainLengthOf(entry);
    }
    return true;
  }

  result(): Partial<SnapshotStats> {
    return { files: this.#files.size, blobs: this.#uses.size, totalBytes: this.#bytes };
  }
}

class RawDataCounter implements Counter {
  readonly #table: BlobTable;
  readonly #marks: BlobMarks;

  constructor(table: BlobTable) {
    this.#table = table;
    this.#marks = new BlobMarks(table);
  }

  beginSnapshot(tree: Uint8Array): void {
    this.#marks.mark(tree, 0, true, 1);
  }

  node({ content, subtree }: Node): boolean {
    if (content !== null)
      for (let at = 0; at < content.length; at += 32) this.#marks.mark(content, at, false, 1);
    return subtree !== null && this.#marks.mark(subtree, 0, true, 1);
  }

  result(): Partial<SnapshotStats> {
    if (this.#marks.unknownCount > 0)
      throw new BackstayError("BLOB_MISSING", { blobs: this.#marks.unknownCount });
    const table = this.#table;
    let blobs = 0;
    let stored = 0;
    let plain = 0;
    let compressedStored = 0;
    let compressedPlain = 0;
    for (const { entry, plainBytes } of this.#marks.all()) {
      blobs += 1;
      const storedBytes = table.storedLengthOf(entry);
      stored += storedBytes;
      plain += plainBytes + sealOverheadBytes;
      if (!table.isCompressed(entry)) continue;
      compressedStored += storedBytes;
      compressedPlain += plainBytes + sealOverheadBytes;
    }
    return {
      blobs,
      totalBytes: stored,
      uncompressedBytes: plain,
      compressionRatio: compressedStored === 0 ? 0 : compressedPlain / compressedStored,
      compressedPercent: plain === 0 ? 0 : (compressedPlain / plain) * 100,
      savedPercent: plain === 0 ? 0 : (1 - stored / plain) * 100,
    };
  }
}

/** Stands for the blobs of a file in their order; everything that is no file counts as empty. */
function contentKey({ content }: Node): string {
  if (content === null || content.length === 0) return "";
  return createHash("sha256").update(content).digest("latin1");
}

function isNew(known: Set<string>, key: string): boolean {
  const before = known.size;
  known.add(key);
  return known.size > before;
}
