/** The inspection of a place that has nothing to say but what any store says: a folder, a REST server. */
import { isBackstayError } from "../protocol/backstay-error.ts";
import type { ObjectStore } from "./object-store.ts";
import { ownObjectFindings, reachFinding } from "./own-object-findings.ts";
import type { PlaceFinding, PlaceInspection } from "./place-finding.ts";

export class StoreInspection implements PlaceInspection {
  readonly #store: ObjectStore;

  /** Closes the store in the end. */
  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async *findings(signal: AbortSignal): AsyncGenerator<PlaceFinding> {
    const reach = await reachFinding(this.#store, signal);
    yield reach;
    if (reach.verdict === "bad") return;
    // A place that can't be made ready shows when something is written to it.
    await this.#store.create(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      if (!isBackstayError(error)) throw error;
    });
    yield* ownObjectFindings(this.#store, signal);
  }

  async close(): Promise<void> {
    await this.#store.close();
  }
}
