/** What `find` prints: matches under the snapshot that they are in, or one JSON array. */
import type { BackstayError } from "../../protocol/backstay-error.ts";
import { utf8Text } from "../repository/json/utf8.ts";
import { type NamedSnapshot, shortIdLength } from "../repository/snapshot/snapshot-finder.ts";
import type { Node } from "../repository/tree/node.ts";
import { failureLine } from "./error-report.ts";
import { type EntryStyle, entryLine, findJson } from "./node-text.ts";
import { printedName } from "./printed-text.ts";
import { formatLocalTime } from "./quantities.ts";
import type { Screen } from "./screen.ts";

/** A blob or tree that was asked for. */
export interface FoundObject {
  readonly kind: "blob" | "tree";
  readonly id: string;
  /** Path of the file or folder that uses it. */
  readonly path: Uint8Array;
  /** Hex id of the tree that holds the file; of blobs only. */
  readonly parentTree?: string;
}

export class FindOutput {
  readonly #screen: Screen;
  readonly #json: boolean;
  readonly #style: EntryStyle;
  #current: NamedSnapshot | undefined;
  #hits = 0;
  #isBegun = false;

  constructor(screen: Screen, json: boolean, style: EntryStyle) {
    this.#screen = screen;
    this.#json = json;
    this.#style = style;
  }

  match(named: NamedSnapshot, node: Node, path: Uint8Array): void {
    const isFirst = named !== this.#current;
    if (this.#json) {
      if (isFirst) this.#screen.print(`${this.#closeSnapshot()}{"matches":[`);
      this.#screen.print(`${isFirst ? "" : ","}${findJson(node, path)}`);
    } else {
      if (isFirst) {
        const { id, snapshot } = named;
        const when = formatLocalTime(snapshot.time.seconds);
        if (this.#current !== undefined) this.#screen.line();
        this.#screen.line(
          `Found matching entries in snapshot ${id.slice(0, shortIdLength)} from ${when}`,
        );
      }
      this.#screen.print(entryLine(node, path, this.#style));
    }
    this.#hits = isFirst ? 1 : this.#hits + 1;
    this.#current = named;
  }

  object(named: NamedSnapshot, found: FoundObject): void {
    const { kind, id, path, parentTree } = found;
    if (this.#json) {
      const members = {
        object_type: kind,
        id,
        path: utf8Text(path),
        parent_tree: parentTree,
        snapshot: named.id,
        time: named.snapshot.time.text,
      };
      this.#screen.print(`${this.#isBegun ? "," : "["}${JSON.stringify(members)}`);
      this.#isBegun = true;
      return;
    }
    const shortId = named.id.slice(0, shortIdLength);
    this.#screen.line(`Found ${kind} ${id}`);
    this.#screen.line(` ... ${kind === "blob" ? "in file" : "path"} ${printedName(path)}`);
    if (parentTree !== undefined) this.#screen.line(`     (tree ${parentTree})`);
    const when = formatLocalTime(named.snapshot.time.seconds);
    this.#screen.line(` ... in snapshot ${shortId} (${when})`);
  }

  damaged(named: NamedSnapshot, path: Uint8Array, error: BackstayError): void {
    const shortId = named.id.slice(0, shortIdLength);
    this.#screen.note(`snapshot ${shortId}, ${printedName(path)}: ${failureLine(error)}`);
  }

  async settle(): Promise<void> {
    await this.#screen.settle();
  }

  /** Ends the JSON array. */
  finish(): void {
    if (!this.#json) return;
    if (this.#current !== undefined) this.#screen.line(`${this.#tail()}]`);
    else this.#screen.line(this.#isBegun ? "]" : "[]");
  }

  #closeSnapshot(): string {
    return this.#current === undefined ? "[" : `${this.#tail()},`;
  }

  #tail(): string {
    return `],"hits":${this.#hits},"snapshot":"${this.#current?.id}"}`;
  }
}
