/** Small repositories in memory whose trees hold exactly what a test says, lies included. */
import { zstdCompressSync } from "node:zlib";
import { Repository } from "../../agent/repository/repository.ts";
import { ByteWriter } from "../../agent/repository/tree/byte-writer.ts";
import { goFileMode } from "../../agent/repository/tree/file-mode.ts";
import type { Node } from "../../agent/repository/tree/node.ts";
import { encodeTree } from "../../agent/repository/tree/tree-encoder.ts";
import { encodeUnpacked } from "../../agent/repository/unpacked-file.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { type CraftedBlob, craftPack, hashOf, hexOf } from "./crafted-packs.ts";
import { indexJson } from "./index-json.ts";

const signal = new AbortController().signal;
const password = new TextEncoder().encode("crafted");
const typeBits: Record<Node["type"], number> = {
  file: 0o100644,
  dir: 0o040755,
  symlink: 0o120777,
  dev: 0o060640,
  chardev: 0o020640,
  fifo: 0o010644,
  socket: 0o140755,
};

/** What a test may say about a node; names may be text. */
export type NodeFacts = Partial<Omit<Node, "name">> & {
  readonly name: string | Uint8Array;
  readonly type: Node["type"];
  /** Permission bits; those of the type if not given. */
  readonly permissions?: number;
};

/** A node with sound values for everything that is not given; owned by this process. */
export function craftNode(facts: NodeFacts): Node {
  const { name, permissions, ...given } = facts;
  const time = { seconds: 1_600_000_000, nanoseconds: 123_456_789 };
  const bits = (typeBits[facts.type] & 0o170000) | (permissions ?? typeBits[facts.type] & 0o7777);
  const content = facts.type === "file" ? new Uint8Array(0) : null;
  const empty = new Uint8Array(0);
  return {
    mode: goFileMode(bits),
    mtime: time,
    atime: given.mtime ?? time,
    ctime: time,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    user: "",
    group: "",
    inode: 0n,
    deviceId: 0n,
    size: 0,
    links: 1n,
    linkTarget: empty,
    attributes: [],
    device: 0n,
    content,
    subtree: null,
    ...given,
    name: typeof name === "string" ? new Uint8Array(Buffer.from(name)) : name,
  };
}

/** Gathers blobs and trees into packs; `open` makes a repository of them. */
export class CraftedRepository {
  readonly store: ObjectStore;
  #isStored = false;
  #data: CraftedBlob[] = [];
  readonly #trees: CraftedBlob[] = [];
  readonly #packs: CraftedBlob[][] = [];
  /** Ids of the packs of files, in the order in which they were closed; once `open` has resolved. */
  readonly packIds: string[] = [];

  constructor(store: ObjectStore = new MemoryStore()) {
    this.store = store;
  }

  /** A blob of a file; returns its id. */
  blob(content: string | Uint8Array): Uint8Array {
    const plain = typeof content === "string" ? new Uint8Array(Buffer.from(content)) : content;
    const frame = plain.length > 100 ? new Uint8Array(zstdCompressSync(plain)) : undefined;
    this.#data.push(frame === undefined ? { plain } : { plain, frame });
    return hashOf(plain);
  }

  /** Blobs that come later go into another pack. */
  nextPack(): void {
    if (this.#data.length > 0) this.#packs.push(this.#data);
    this.#data = [];
  }

  /** A file of these blobs. */
  file(
    name: string | Uint8Array,
    parts: readonly (string | Uint8Array)[],
    facts: Partial<NodeFacts> = {},
  ): Node {
    const ids = parts.map((part) => this.blob(part));
    const size = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    const content = new Uint8Array(Buffer.concat(ids));
    return craftNode({ size, content, ...facts, name, type: "file" });
  }

  /** A directory with these entries, in the order of their names unless `asGiven`. */
  directory(name: string, nodes: readonly Node[], facts: Partial<NodeFacts> = {}): Node {
    return craftNode({ subtree: this.tree(nodes), ...facts, name, type: "dir" });
  }

  /** A tree; returns its id. */
  tree(nodes: readonly Node[], asGiven = false): Uint8Array {
    const sorted = asGiven ? nodes : nodes.toSorted((a, b) => Buffer.compare(a.name, b.name));
    return this.rawTree(encodeTree(new ByteWriter(1024), sorted));
  }

  /** Any bytes as a tree. */
  rawTree(plain: Uint8Array): Uint8Array {
    this.#trees.push({ plain, isTree: true, frame: new Uint8Array(zstdCompressSync(plain)) });
    return hashOf(plain);
  }

  /** Stores everything, the first time, and opens the repository, its index loaded. */
  async open(): Promise<Repository> {
    if (!this.#isStored) await this.#store();
    this.#isStored = true;
    const repository = await Repository.open(this.store, { password, signal });
    await repository.loadIndex(signal);
    return repository;
  }

  async #store(): Promise<void> {
    const { store } = this;
    const scrypt = { N: 1024, r: 8, p: 1 };
    const made = await Repository.init(store, { password, signal, scrypt });
    this.nextPack();
    const indexed = [];
    for (const blobs of [...this.#packs, this.#trees]) {
      if (blobs.length === 0) continue;
      const pack = craftPack(made.sealer, blobs);
      await store.save({ type: "data", name: pack.id }, pack.bytes, signal);
      indexed.push({ id: new Uint8Array(Buffer.from(pack.id, "hex")), header: pack.header });
      if (blobs !== this.#trees) this.packIds.push(pack.id);
    }
    const index = encodeUnpacked(made.sealer, indexJson(indexed), 2);
    await store.save({ type: "index", name: hexOf(hashOf(index)) }, index, signal);
  }
}
