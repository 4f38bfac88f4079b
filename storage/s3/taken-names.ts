/**
 * Whether a server itself refuses a second object of a name. Some do, some say that they can't, and some overwrite without
 * a word; so unless it is known, the first small object is sent twice.
 */

/** What came of storing an object under a name: `exists` if something has the name, which stays as it is. */
export type CreateOutcome = "created" | "exists";

export class TakenNames {
  #stand: "refused" | "untried" | "overwritten" | "unsupported";

  constructor(isKnownToRefuse: boolean) {
    this.#stand = isKnownToRefuse ? "refused" : "untried";
  }

  /** False: there is a moment between looking for a name and taking it. */
  get isAtomic(): boolean {
    return this.#stand === "refused" || this.#stand === "untried";
  }

  /** True: look before you write. */
  get mustLook(): boolean {
    return this.#stand !== "refused";
  }

  get isUntried(): boolean {
    return this.#stand === "untried";
  }

  /** The precondition of a write, for servers that do not refuse the request for it. */
  get condition(): { IfNoneMatch?: string } {
    return this.#stand === "unsupported" ? {} : { IfNoneMatch: "*" };
  }

  /** The server knows no preconditions of writes. */
  unsupported(): void {
    this.#stand = "unsupported";
  }

  /** What came of writing the same object twice. */
  tried(outcome: CreateOutcome): void {
    if (this.isUntried) this.#stand = outcome === "exists" ? "refused" : "overwritten";
  }
}
