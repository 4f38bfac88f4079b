/** Makes a catalog of a snapshot in the repository, for a run that has none of its own: after another program's backup, or a lost cache. */
import { modeType, statAt, statRecordBytes } from "../../../platform/ports/stat-record.ts";
import type { Repository } from "../../repository/repository.ts";
import { permissionBits } from "../../repository/tree/file-mode.ts";
import type { Node } from "../../repository/tree/node.ts";
import { decodeTree } from "../../repository/tree/tree-decoder.ts";
import { entryFlags } from "./catalog-format.ts";
import { CatalogWriter } from "./catalog-writer.ts";

/** A directory whose subdirectories are being written. */
interface Level {
  readonly id: Uint8Array;
  /** Set for a long tree: what `nodes` are decoded from. */
  readonly bytes: Uint8Array | undefined;
  /** To be gone through once. */
  readonly nodes: Iterable<Node>;
  /** Trees of the subdirectories, in the order of their nodes. */
  readonly subtrees: readonly Uint8Array[];
  /** Catalog blocks of the subdirectories that are finished. */
  readonly blocks: number[];
}

/** The nodes of longer trees are not held as objects: such a tree is decoded twice. */
const heldTreeBytesMax = 1024 * 1024;

/** Deeper trees than any file system makes: damage or malice. */
const depthMax = 100_000;

/**
 * Writes the catalog of the snapshot with this tree to `filePath`; false if the disk did not take it. Rejects as `Repository.loadTree`, if a
 * tree can't be decoded, or with the system's error if the file can't be created.
 */
export async function writeCatalogOfSnapshot(
  repository: Repository,
  tree: Uint8Array,
  snapshotId: Uint8Array,
  filePath: string,
  signal: AbortSignal,
): Promise<boolean> {
  const writer = new CatalogWriter(filePath);
  try {
    const stack = [await loadLevel(repository, tree, signal)];
    let block = 0;
    while (stack.length > 0) {
      const level = stack[stack.length - 1];
      const subtree = level.subtrees.at(level.blocks.length);
      if (subtree !== undefined && stack.length < depthMax) {
        stack.push(await loadLevel(repository, subtree, signal));
        continue;
      }
      block = writeLevel(writer, level);
      // A list of a million entries is not left to the collector.
      (level.bytes?.buffer as ArrayBuffer | undefined)?.transfer(0);
      stack.pop();
      stack.at(-1)?.blocks.push(block);
    }
    return writer.finish(block, snapshotId);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

async function loadLevel(
  repository: Repository,
  id: Uint8Array,
  signal: AbortSignal,
): Promise<Level> {
  const bytes = await repository.loadTree(id, signal);
  const isLong = bytes.length > heldTreeBytesMax;
  const short = isLong ? undefined : [...decodeTree(bytes)];
  const subtrees: Uint8Array[] = [];
  for (const { subtree } of short ?? decodeTree(bytes, { content: "skipped" }))
    if (subtree !== null) subtrees.push(subtree);
  const nodes = short ?? decodeTree(bytes, { content: "in-place" });
  return { id, bytes: isLong ? bytes : undefined, nodes, subtrees, blocks: [] };
}

const noIds = new Uint8Array(0);

function writeLevel(writer: CatalogWriter, level: Level): number {
  writer.begin();
  let subtrees = 0;
  for (const node of level.nodes) {
    const child = node.subtree === null ? 0 : (level.blocks.at(subtrees++) ?? 0);
    const ids = node.content ?? node.subtree ?? noIds;
    writer.add({
      record: recordOf(node),
      recordOffset: 0,
      child,
      ids,
      idsStart: 0,
      idsEnd: ids.length,
      name: node.name,
      nameStart: 0,
      nameEnd: node.name.length,
      flags: node.attributes.length > 0 ? entryFlags.attributes : 0,
    });
  }
  return writer.end(level.id);
}

/** What lstat would have said of the node. Fields that no node holds are 0. */
function recordOf(node: Node): Uint8Array {
  const record = new Uint8Array(statRecordBytes);
  const view = new DataView(record.buffer);
  const size = node.type === "symlink" ? node.linkTarget.length : node.size;
  view.setUint32(statAt.mode, permissionBits(node.mode) | typeBits[node.type], true);
  view.setUint32(statAt.uid, node.uid, true);
  view.setUint32(statAt.gid, node.gid, true);
  view.setUint32(statAt.mtimeNs, node.mtime.nanoseconds, true);
  view.setUint32(statAt.ctimeNs, node.ctime.nanoseconds, true);
  // Device numbers are each program's own: trees with hard links are written anew, so that all have ours.
  if (node.links <= 1n) view.setUint32(statAt.links, Number(node.links), true);
  view.setBigUint64(statAt.inode, node.inode, true);
  view.setBigUint64(statAt.size, BigInt(size), true);
  view.setBigInt64(statAt.mtime, BigInt(node.mtime.seconds), true);
  view.setBigInt64(statAt.ctime, BigInt(node.ctime.seconds), true);
  view.setBigUint64(statAt.rdev, node.device, true);
  return record;
}

const typeBits = {
  file: modeType.file,
  dir: modeType.directory,
  symlink: modeType.symlink,
  dev: modeType.blockDevice,
  chardev: modeType.charDevice,
  fifo: modeType.fifo,
  socket: modeType.socket,
} as const;
