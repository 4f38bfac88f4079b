/** The order of the entries that `ls` lists. */
import { utf8Bytes } from "../repository/json/utf8.ts";
import type { Node, NodeTime } from "../repository/tree/node.ts";

export const sortKeys = ["name", "size", "time", "mtime", "atime", "ctime", "extension"] as const;
export type SortKey = (typeof sortKeys)[number];

/** Holds all entries until the last one is known. */
export class EntrySorter {
  readonly #key: SortKey;
  readonly #reverse: boolean;
  readonly #entries: {
    readonly path: Uint8Array;
    readonly size: number;
    readonly time: NodeTime;
    readonly text: string | Uint8Array;
  }[] = [];

  constructor(key: SortKey, reverse: boolean) {
    this.#key = key;
    this.#reverse = reverse;
  }

  add(node: Node, path: Uint8Array, text: string | Uint8Array): void {
    const time =
      this.#key === "atime" ? node.atime : this.#key === "ctime" ? node.ctime : node.mtime;
    this.#entries.push({ path, size: node.size, time, text });
  }

  printTo(print: (text: string | Uint8Array) => void): void {
    const compareKeys = this.#comparison();
    const sign = this.#reverse ? -1 : 1;
    this.#entries.sort((a, b) => sign * (compareKeys(a, b) || Buffer.compare(a.path, b.path)));
    for (const { text } of this.#entries) print(text);
  }

  #comparison(): (
    a: { path: Uint8Array; size: number; time: NodeTime },
    b: { path: Uint8Array; size: number; time: NodeTime },
  ) => number {
    switch (this.#key) {
      case "name":
        return () => 0;
      case "size":
        return (a, b) => a.size - b.size;
      case "extension":
        return (a, b) => Buffer.compare(extensionOf(a.path), extensionOf(b.path));
      case "time":
      case "mtime":
      case "atime":
      case "ctime":
        return (a, b) => a.time.seconds - b.time.seconds || a.time.nanoseconds - b.time.nanoseconds;
      default:
        return this.#key satisfies never;
    }
  }
}

function extensionOf(path: Uint8Array): Uint8Array {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1);
  const dot = name.lastIndexOf(0x2e);
  return dot < 0 ? utf8Bytes("") : name.subarray(dot);
}
