/** Searches snapshots for the files and folders that use given blobs, trees, or anything in given packs. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { idToHex } from "../repository/id.ts";
import type { Repository } from "../repository/repository.ts";
import type { NamedSnapshot } from "../repository/snapshot/snapshot-finder.ts";
import type { Node } from "../repository/tree/node.ts";
import { type TreePosition, walkTree } from "../repository/walk/tree-walker.ts";
import type { FindOutput } from "./find-output.ts";
import type { Screen } from "./screen.ts";

const prefixForm = /^[0-9a-f]{1,64}$/;

export class ObjectSearch {
  readonly #repository: Repository;
  /** Ids of wanted blobs and trees: 1 at their entry in the blob table. */
  readonly #wanted: Uint8Array;
  readonly #wantsTrees: boolean;
  readonly #wantsBlobs: boolean;

  /** `loadIndex` must have been called. USAGE if an id is no hex text; what no index knows is never found. */
  constructor(repository: Repository, kind: "blob" | "tree" | "pack", ids: readonly string[]) {
    const wrong = ids.find((id) => !prefixForm.test(id));
    if (wrong !== undefined)
      throw new BackstayError("USAGE", { id: wrong, problem: "ids are lowercase hex digits" });
    this.#repository = repository;
    const table = repository.blobs;
    const bytes = new Uint8Array(32);
    let size = 0;
    for (const entry of table.entries()) size = Math.max(size, entry + 1);
    this.#wanted = new Uint8Array(size);
    const matches = (id: string): boolean => ids.some((prefix) => id.startsWith(prefix));
    const packs = new Map<number, boolean>();
    let wantsTrees = false;
    let wantsBlobs = false;
    for (const entry of table.entries()) {
      const isTree = table.isTree(entry);
      if (kind === "pack") {
        const pack = table.packOf(entry);
        const isWanted = packs.get(pack) ?? (pack >= 0 && matches(table.packId(pack)));
        packs.set(pack, isWanted);
        if (!isWanted) continue;
      } else {
        if (isTree !== (kind === "tree")) continue;
        table.copyId(entry, bytes, 0);
        if (!matches(idToHex(bytes))) continue;
      }
      this.#wanted[entry] = 1;
      wantsTrees ||= isTree;
      wantsBlobs ||= !isTree;
    }
    if (kind === "pack" && !wantsTrees && !wantsBlobs)
      throw new BackstayError("USAGE", { pack: ids.join(", "), problem: "no index knows it" });
    this.#wantsTrees = wantsTrees;
    this.#wantsBlobs = wantsBlobs;
  }

  /** Gives what is found in a snapshot to `output`; resolves with the number of damaged trees. */
  async run(named: NamedSnapshot, output: FindOutput, signal: AbortSignal): Promise<number> {
    if (!this.#wantsTrees && !this.#wantsBlobs) return 0;
    let damaged = 0;
    const { tree } = named.snapshot;
    if (this.#isWanted(tree, 0, true))
      output.object(named, { kind: "tree", id: idToHex(tree), path: Buffer.from("/") });
    await walkTree(
      this.#repository,
      tree,
      {
        node: (node, position) => {
          this.#look(named, node, position, output);
          return node.type === "dir";
        },
        damaged(error, position) {
          damaged += 1;
          output.damaged(named, position.path(), error);
        },
        settle: () => output.settle(),
      },
      signal,
    );
    return damaged;
  }

  /** Tells which pack holds each wanted object. */
  showPacks(screen: Screen): void {
    const table = this.#repository.blobs;
    const bytes = new Uint8Array(32);
    for (const [entry, isWanted] of this.#wanted.entries()) {
      if (isWanted === 0) continue;
      table.copyId(entry, bytes, 0);
      const kind = table.isTree(entry) ? "tree" : "blob";
      screen.line(`${kind} ${idToHex(bytes)}`);
      screen.line(` ... in pack ${table.packId(table.packOf(entry))}`);
    }
  }

  #look(named: NamedSnapshot, node: Node, position: TreePosition, output: FindOutput): void {
    const { subtree, content } = node;
    if (this.#wantsTrees && subtree !== null && this.#isWanted(subtree, 0, true))
      output.object(named, { kind: "tree", id: idToHex(subtree), path: position.path() });
    if (!this.#wantsBlobs || content === null) return;
    for (let at = 0; at < content.length; at += 32) {
      if (!this.#isWanted(content, at, false)) continue;
      output.object(named, {
        kind: "blob",
        id: idToHex(content, at),
        path: position.path(),
        parentTree: idToHex(position.treeId),
      });
    }
  }

  #isWanted(ids: Uint8Array, offset: number, isTree: boolean): boolean {
    const entry = this.#repository.blobs.find(ids, offset, isTree);
    return entry >= 0 && this.#wanted[entry] === 1;
  }
}
