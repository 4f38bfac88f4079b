/** Finds names that stand twice in one tree, or that the target's file system takes for the same. */
import { NodeOrder } from "../../repository/tree/node-rules.ts";

/** One per tree. Costs nothing while names ascend, as restic and Backstay write them. */
export class SiblingNames {
  readonly #order = new NodeOrder();
  readonly #folds: boolean;
  readonly #earlier: () => Iterable<Uint8Array>;
  #seen: Set<string> | undefined;

  /** `folds`: the target knows no case. `earlier` gives the names that were accepted so far. */
  constructor(folds: boolean, earlier: () => Iterable<Uint8Array>) {
    this.#folds = folds;
    this.#earlier = earlier;
  }

  /** True if no earlier name is the same. */
  accept(name: Uint8Array): boolean {
    const place = this.#order.accept(name);
    if (place === "duplicate") return false;
    if (place === "descending" || this.#folds) this.#seen ??= this.#collect();
    if (this.#seen === undefined) return true;
    const key = this.#key(name);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }

  #collect(): Set<string> {
    const seen = new Set<string>();
    for (const name of this.#earlier()) seen.add(this.#key(name));
    return seen;
  }

  #key(name: Uint8Array): string {
    const bytes = Buffer.from(name.buffer, name.byteOffset, name.length);
    if (!this.#folds) return bytes.toString("latin1");
    return bytes.toString().normalize("NFC").toLowerCase();
  }
}
