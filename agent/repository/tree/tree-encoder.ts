/** The envelope of a tree: what stands before, between and after its nodes. */
import type { ByteWriter } from "./byte-writer.ts";
import type { Node } from "./node.ts";
import { encodeNode, type RecordNodeEncoder, type RecordNodeFields } from "./node-encoder.ts";

/**
 * Writes one tree into a `ByteWriter`: `begin`, then the nodes in ascending order of their raw names,
 * then `end`. The caller may drain the writer between nodes. One encoder serves many trees, one after
 * the other.
 */
export class TreeEncoder {
  readonly #out: ByteWriter;
  #first = true;

  constructor(out: ByteWriter) {
    this.#out = out;
  }

  /** Starts a tree. */
  begin(): void {
    this.#out.ascii('{"nodes":[');
    this.#first = true;
  }

  /** Appends a node. */
  add(node: Node): void {
    this.separate();
    encodeNode(this.#out, node);
  }

  /** Appends a node from a stat record. */
  addRecord(encoder: RecordNodeEncoder, fields: RecordNodeFields): void {
    this.separate();
    encoder.encode(this.#out, fields);
  }

  /** Appends a node whose JSON is `source[start … end)` already. */
  addEncoded(source: Uint8Array, start: number, end: number): void {
    this.separate();
    this.#out.raw(source, start, end);
  }

  /** Writes the comma that a node needs before it, for a caller that writes the node itself. */
  separate(): void {
    if (this.#first) this.#first = false;
    else this.#out.byte(0x2c);
  }

  /** Ends the tree; its id is the SHA-256 of everything since `begin`. */
  end(): void {
    this.#out.ascii("]}\n");
  }
}

/** The bytes of a whole tree. The nodes must be in ascending order of their raw names. */
export function encodeTree(out: ByteWriter, nodes: Iterable<Node>): Uint8Array {
  const start = out.length;
  const encoder = new TreeEncoder(out);
  encoder.begin();
  for (const node of nodes) encoder.add(node);
  encoder.end();
  return out.bytes.slice(start, out.length);
}
