/** Writes a file of a snapshot, or a folder as a tar archive, to a stream, in bounded memory. */
import { createHash } from "node:crypto";
import { BackstayError } from "../../../protocol/backstay-error.ts";
import type { Repository } from "../../repository/repository.ts";
import { permissionBits } from "../../repository/tree/file-mode.ts";
import type { Node } from "../../repository/tree/node.ts";
import { NodeOrder, nodeNameProblem, nodeShapeProblem } from "../../repository/tree/node-rules.ts";
import { TreeReader } from "../../repository/tree/tree-decoder.ts";
import { findNode, pathComponents } from "../../repository/walk/tree-lookup.ts";
import { type TarEntry, tarEnd, tarHeader, tarPadding, tarType } from "../../tar/tar-header.ts";
import { HardLinks } from "../plan/hard-links.ts";
import { type RestoreIssue, showPath } from "../restore-issues.ts";
import { BlobStream } from "./blob-stream.ts";

export interface DumpRequest {
  /** Open, with its index loaded. */
  readonly repository: Repository;
  /** The snapshot's tree, 32 bytes. */
  readonly tree: Uint8Array;
  /** Raw path in the snapshot; `/` is all of it. */
  readonly path: Uint8Array;
  /** Takes bytes and resolves when it wants more; may keep them. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Told of what is left out of an archive. */
  readonly onIssue: (issue: RestoreIssue) => void;
  readonly signal: AbortSignal;
}

/** What was written. */
export interface DumpSummary {
  readonly kind: "file" | "tar";
  /** Entries of an archive; 1 for a file. */
  readonly entries: number;
  readonly bytes: number;
  /** Issues told. */
  readonly issues: number;
}

/** Folders inside folders. */
const depthMax = 4096;
/** Trees of the folders on the way, together. */
const treeBytesMax = 1024 * 1024 * 1024;

/**
 * A file is written as it is; a folder as a tar whose entries have their full paths in the snapshot. Rejects with PATH_NOT_FOUND if
 * there is neither at the path, with the error of the first blob that can't be had (what was written before must then be
 * thrown away), or with the signal's reason.
 */
export async function dumpPath(request: DumpRequest): Promise<DumpSummary> {
  const { repository, tree, path, signal } = request;
  const node = await findNode(repository, tree, path, signal);
  const stream = new BlobStream(repository, signal);
  if (node === undefined) return await new TarDump(request, stream).run([], tree, undefined);
  if (node.type === "file" && node.content !== null) {
    const bytes = await writeContent(request, stream, node.content);
    if (bytes !== node.size) throw wrongSize(path, node.size, bytes);
    return { kind: "file", entries: 1, bytes, issues: 0 };
  }
  if (node.type !== "dir" || node.subtree === null)
    throw new BackstayError("PATH_NOT_FOUND", {
      path: showPath(path),
      problem: `it is a ${node.type}, neither file nor folder`,
    });
  return await new TarDump(request, stream).run(pathComponents(path), node.subtree, node);
}

async function writeContent(
  { write }: DumpRequest,
  stream: BlobStream,
  content: Uint8Array,
): Promise<number> {
  let bytes = 0;
  for await (const blob of stream.read(content)) {
    await write(blob);
    bytes += blob.length;
  }
  return bytes;
}

function wrongSize(path: Uint8Array, claimed: number, real: number): BackstayError {
  return new BackstayError("REPOSITORY_DAMAGED", {
    file: showPath(path),
    problem: `its blobs have ${real} bytes, but it should have ${claimed}`,
  });
}

interface OpenFolder {
  readonly path: Uint8Array;
  readonly reader: TreeReader;
  readonly order: NodeOrder;
  readonly bytes: number;
}

/** The first name of a file that has several. */
interface LinkLeader {
  readonly path: Uint8Array;
  readonly digest: string;
}

class TarDump {
  readonly #request: DumpRequest;
  readonly #stream: BlobStream;
  readonly #links = new HardLinks();
  readonly #leaders: LinkLeader[] = [];
  readonly #folders: OpenFolder[] = [];
  #treeBytes = 0;
  #entries = 0;
  #bytes = 0;
  #issues = 0;

  constructor(request: DumpRequest, stream: BlobStream) {
    this.#request = request;
    this.#stream = stream;
  }

  async run(
    components: readonly Uint8Array[],
    tree: Uint8Array,
    node: Node | undefined,
  ): Promise<DumpSummary> {
    const path = joinAll(components);
    if (node !== undefined) await this.#header(node, path, tarType.directory);
    await this.#enter(path, tree);
    for (let folder = this.#folders.at(-1); folder !== undefined; folder = this.#folders.at(-1)) {
      const next = folder.reader.next();
      if (next !== undefined) await this.#add(folder, next);
      else {
        this.#folders.pop();
        this.#treeBytes -= folder.bytes;
      }
    }
    await this.#write(tarEnd());
    return { kind: "tar", entries: this.#entries, bytes: this.#bytes, issues: this.#issues };
  }

  async #enter(path: Uint8Array, tree: Uint8Array): Promise<void> {
    const { repository, signal } = this.#request;
    const bytes = await repository.loadTree(tree, signal);
    this.#treeBytes += bytes.length;
    if (this.#folders.length >= depthMax || this.#treeBytes > treeBytesMax)
      throw new BackstayError("RESTORE_TOO_LARGE", {
        path: showPath(path.subarray(0, 200)),
        problem: "too many folders inside each other",
      });
    const reader = new TreeReader(bytes, {
      content: "in-place",
      onUnknownType: (name, type) => this.#skip(join(path, name), `unknown type ${type}`),
    });
    this.#folders.push({ path, reader, order: new NodeOrder(), bytes: bytes.length });
  }

  async #add(folder: OpenFolder, node: Node): Promise<void> {
    const path = join(folder.path, node.name);
    let problem = nodeNameProblem(node.name) ?? nodeShapeProblem(node);
    if (problem === undefined && folder.order.accept(node.name) !== "ascending")
      problem = "not in the order of names, or twice";
    if (problem !== undefined) {
      this.#skip(path, problem);
      return;
    }
    switch (node.type) {
      case "file":
        await this.#addFile(node, path, node.content ?? new Uint8Array(0));
        return;
      case "dir":
        await this.#header(node, path, tarType.directory);
        if (node.subtree !== null) await this.#enter(path, node.subtree);
        return;
      case "symlink":
        await this.#header(node, path, tarType.symlink);
        return;
      case "chardev":
        await this.#header(node, path, tarType.charDevice);
        return;
      case "dev":
        await this.#header(node, path, tarType.blockDevice);
        return;
      case "fifo":
        await this.#header(node, path, tarType.fifo);
        return;
      case "socket":
        // No archive holds sockets; their programs make them.
        return;
    }
  }

  async #addFile(node: Node, path: Uint8Array, content: Uint8Array): Promise<void> {
    const leader = this.#leaderOf(node, path, content);
    if (leader !== undefined) {
      await this.#header({ ...node, linkTarget: leader }, path, tarType.hardLink);
      return;
    }
    const size = this.#stream.lengthOf(content);
    if (size < 0) {
      this.#skip(path, "some of its blobs are in no index");
      return;
    }
    if (size !== node.size)
      this.#tell(path, `its blobs have ${size} bytes, but it should have ${node.size}`);
    await this.#header(node, path, tarType.file, size);
    const bytes = await writeContent(
      { ...this.#request, write: this.#write },
      this.#stream,
      content,
    );
    if (bytes !== size) throw wrongSize(path, size, bytes);
    await this.#write(tarPadding(size));
  }

  /** Path of an earlier name of the same file with the same content. */
  #leaderOf(node: Node, path: Uint8Array, content: Uint8Array): Uint8Array | undefined {
    if (node.links <= 1n || node.inode === 0n) return undefined;
    const digest = createHash("sha256").update(content).digest("latin1");
    const known = this.#links.firstOf(node.inode, node.deviceId, this.#leaders.length);
    if (known < 0) {
      this.#leaders.push({ path, digest });
      return undefined;
    }
    return this.#leaders[known].digest === digest ? this.#leaders[known].path : undefined;
  }

  async #header(node: Node, path: Uint8Array, type: TarEntry["type"], size = 0): Promise<void> {
    const isDevice = type === tarType.charDevice || type === tarType.blockDevice;
    this.#entries += 1;
    await this.#write(
      tarHeader({
        type,
        path: type === tarType.directory ? join(path, new Uint8Array(0)) : path,
        permissions: permissionBits(node.mode),
        uid: node.uid,
        gid: node.gid,
        user: node.user,
        group: node.group,
        size,
        mtime: node.mtime,
        linkPath: node.linkTarget,
        device: isDevice ? node.device : 0n,
        attributes: node.attributes,
      }),
    );
  }

  readonly #write = async (bytes: Uint8Array): Promise<void> => {
    this.#request.signal.throwIfAborted();
    this.#bytes += bytes.length;
    if (bytes.length > 0) await this.#request.write(bytes);
  };

  #skip(path: Uint8Array, problem: string): void {
    this.#tell(path, `left out: ${problem}`);
  }

  #tell(path: Uint8Array, text: string): void {
    this.#issues += 1;
    const shown = showPath(path.subarray(0, 4096));
    this.#request.onIssue({ severity: "error", kind: "refused", path: shown, text });
  }
}

function join(parent: Uint8Array, name: Uint8Array): Uint8Array {
  return parent.length === 0 ? name : Buffer.concat([parent, Buffer.from("/"), name]);
}

function joinAll(components: readonly Uint8Array[]): Uint8Array {
  return components.reduce(join, new Uint8Array(0));
}
