/** Compares what a snapshot holds with what stands in a folder: every entry, its metadata and every byte. */
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import type { Repository } from "../../agent/repository/repository.ts";
import { decodeSnapshot } from "../../agent/repository/snapshot/snapshot-codec.ts";
import { permissionBits } from "../../agent/repository/tree/file-mode.ts";
import type { Node } from "../../agent/repository/tree/node.ts";
import { decodeTree } from "../../agent/repository/tree/tree-decoder.ts";

const never = new AbortController().signal;

/** The nodes of a folder in a snapshot, by name. */
export type Folder = ReadonlyMap<string, Node>;

/** The node at `place`, an absolute path; undefined if there is none. */
export async function nodeAt(
  repository: Repository,
  snapshotId: string,
  place: string,
): Promise<Node | undefined> {
  const parts = place.split("/").filter((part) => part !== "");
  const last = parts.pop();
  let folder = await rootOf(repository, snapshotId);
  for (const part of parts) {
    const subtree = folder.get(part)?.subtree;
    if (subtree === null || subtree === undefined) return undefined;
    folder = await folderOf(repository, subtree);
  }
  return last === undefined ? undefined : folder.get(last);
}

/** The top of a snapshot. */
export async function rootOf(repository: Repository, snapshotId: string): Promise<Folder> {
  const json = await repository.loadUnpacked("snapshots", snapshotId, never);
  return await folderOf(repository, decodeSnapshot(json).tree);
}

export async function folderOf(repository: Repository, tree: Uint8Array): Promise<Folder> {
  const folder = new Map<string, Node>();
  for (const node of decodeTree(await repository.loadTree(tree, never)))
    folder.set(Buffer.from(node.name).toString("latin1"), node);
  return folder;
}

/** Every difference between the snapshot and the folder, as lines; empty if there is none. */
export async function differences(
  repository: Repository,
  snapshotId: string,
  place: string,
): Promise<string[]> {
  const found: string[] = [];
  const top = await nodeAt(repository, snapshotId, place);
  if (top === undefined) return [`${place}: not in the snapshot`];
  const waiting = [{ node: top, place: Buffer.from(place) }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    await compareEntry(repository, next.node, next.place, found);
    if (next.node.subtree === null) continue;
    const folder = await folderOf(repository, next.node.subtree);
    const names = readdirSync(next.place, { encoding: "buffer" }).map((n) => n.toString("latin1"));
    for (const name of names)
      if (!folder.has(name)) found.push(`${next.place.toString()}/${name}: not in the snapshot`);
    for (const [name, node] of folder) {
      const child = Buffer.concat([next.place, Buffer.from("/"), Buffer.from(name, "latin1")]);
      if (names.includes(name)) waiting.push({ node, place: child });
      else found.push(`${child.toString()}: only in the snapshot`);
    }
  }
  return found;
}

async function compareEntry(
  repository: Repository,
  node: Node,
  place: Buffer,
  found: string[],
): Promise<void> {
  const stats = lstatSync(place, { bigint: true });
  const seconds = BigInt(node.mtime.seconds) * 1_000_000_000n + BigInt(node.mtime.nanoseconds);
  const say = (what: string): void => void found.push(`${place.toString()}: ${what}`);
  if (permissionBits(node.mode) !== Number(stats.mode & 0o7777n)) say("mode differs");
  if (seconds !== stats.mtimeNs) say("mtime differs");
  if (BigInt(node.uid) !== stats.uid || BigInt(node.gid) !== stats.gid) say("owner differs");
  if (node.inode !== stats.ino) say("inode differs");
  const isRightType =
    (node.type === "file" && stats.isFile()) ||
    (node.type === "dir" && stats.isDirectory()) ||
    (node.type === "symlink" && stats.isSymbolicLink()) ||
    (node.type === "fifo" && stats.isFIFO()) ||
    (node.type === "socket" && stats.isSocket()) ||
    (node.type === "chardev" && stats.isCharacterDevice()) ||
    (node.type === "dev" && stats.isBlockDevice());
  if (!isRightType) say(`is no ${node.type}`);
  else if (node.type === "symlink") {
    const target = readlinkSync(place, { encoding: "buffer" });
    if (!target.equals(node.linkTarget)) say("link target differs");
  } else if (node.type === "file") {
    if (BigInt(node.size) !== stats.size) say(`size ${node.size}, not ${stats.size}`);
    else if (!(await isSameContent(repository, node, place))) say("content differs");
  }
}

async function isSameContent(repository: Repository, node: Node, place: Buffer): Promise<boolean> {
  const ids = node.content ?? new Uint8Array(0);
  const descriptor = openSync(place, "r");
  try {
    let position = 0;
    for (let at = 0; at < ids.length; at += 32) {
      const blob = await repository.loadBlob(ids, never, at);
      const bytes = Buffer.alloc(blob.length);
      if (readSync(descriptor, bytes, 0, blob.length, position) !== blob.length) return false;
      if (!bytes.equals(blob)) return false;
      position += blob.length;
    }
    return position === node.size;
  } finally {
    closeSync(descriptor);
  }
}
