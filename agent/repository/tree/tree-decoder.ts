/**
 * Reads the nodes of a tree one after the other from the tree's bytes, so that a directory of a million
 * entries is never held as objects. Everything is bounded by the size of the bytes; nothing recurses.
 */
import type { ErrorContext } from "../../../protocol/backstay-error.ts";
import { JsonCursor } from "../json/json-cursor.ts";
import { utf8Bytes } from "../json/utf8.ts";
import type { Node } from "./node.ts";
import { type ContentReading, NodeReader } from "./node-reader.ts";

export interface TreeReaderOptions {
  /** Hex id of the tree, for errors. */
  readonly treeId?: string;
  /**
   * Told of a node that is well-formed but of a type that we do not know; reading then goes on with the
   * next one. Without it such a node is an error, because what it refers to would be forgotten.
   */
  readonly onUnknownType?: (name: Uint8Array, type: string) => void;
  /** What becomes of the ids of files' blobs; `own` unless given. */
  readonly content?: ContentReading;
}

const nodesKey = utf8Bytes("nodes");

/** `next` gives node after node. */
export class TreeReader {
  readonly #cursor: JsonCursor;
  readonly #nodes: NodeReader;
  readonly #options: TreeReaderOptions;
  #state: "start" | "nodes" | "end" = "start";

  /** `bytes` is the whole plain tree; nobody else may change it while it is read. */
  constructor(bytes: Uint8Array, options: TreeReaderOptions = {}) {
    const facts: ErrorContext =
      options.treeId === undefined ? { file: "tree" } : { file: "tree", id: options.treeId };
    this.#cursor = new JsonCursor(bytes, facts);
    this.#nodes = new NodeReader(this.#cursor, options.content ?? "own");
    this.#options = options;
  }

  /**
   * The next node, or undefined after the last. Nodes come as they are stored: `nodeNameProblem` and
   * `NodeOrder` say which may not be trusted. Throws BackstayError REPOSITORY_DAMAGED as soon as the
   * bytes are no tree, which may be after nodes were given.
   */
  next(): Node | undefined {
    const cursor = this.#cursor;
    while (this.#state !== "end") {
      const more = this.#state === "start" ? this.#enter() : cursor.moreElements();
      if (!more) {
        this.#leave();
        break;
      }
      this.#state = "nodes";
      const at = cursor.at;
      const node = this.#nodes.read();
      if (node !== undefined) return node;
      const { name, typeText } = this.#nodes;
      const { onUnknownType } = this.#options;
      if (onUnknownType !== undefined) onUnknownType(name, typeText);
      else cursor.fail(`node of unknown type ${JSON.stringify(typeText.slice(0, 32))}`, at);
    }
    return undefined;
  }

  /** Goes to the first node; false if there is none. */
  #enter(): boolean {
    const cursor = this.#cursor;
    for (let more = cursor.enterObject(); more; more = cursor.moreMembers()) {
      if (this.#keyIsNodes()) {
        return cursor.takeNull() ? false : cursor.enterArray();
      }
      cursor.skipValue(1);
    }
    return cursor.fail("no nodes");
  }

  /** Reads what follows the nodes. */
  #leave(): void {
    const cursor = this.#cursor;
    while (cursor.moreMembers()) {
      if (this.#keyIsNodes()) cursor.fail("nodes twice");
      cursor.skipValue(1);
    }
    cursor.finish();
    this.#state = "end";
  }

  #keyIsNodes(): boolean {
    this.#cursor.key();
    return Buffer.compare(this.#cursor.text(), nodesKey) === 0;
  }
}

/** The nodes of a tree, as `TreeReader` gives them. */
export function* decodeTree(
  bytes: Uint8Array,
  options: TreeReaderOptions = {},
): Generator<Node, void, undefined> {
  const reader = new TreeReader(bytes, options);
  for (let node = reader.next(); node !== undefined; node = reader.next()) yield node;
}
