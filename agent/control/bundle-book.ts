/**
 * The server's bundle that is in force on this machine. What was accepted stays in force until something newer has
 * passed every check: nothing unsigned, old, foreign, cut or empty ever takes its place.
 */
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { BundleStore } from "../state/state.ts";
import type { BundleCopy } from "./bundle-copy.ts";
import { type BundleFloors, bundleFloors, laterFloors, noFloors } from "./bundle-floors.ts";
import type { BundleInForce } from "./bundle-in-force.ts";
import type { BundleReader } from "./bundle-reader.ts";
import { losesMostPlaces } from "./included-places.ts";
import { bundleHash, type VerifiedBundle, verifyBundle } from "./verify-bundle.ts";

export interface BundleBookOptions {
  readonly reader: BundleReader;
  readonly store: BundleStore;
  readonly copy: BundleCopy;
  /** Wall clock, ms since 1970. */
  readonly nowMs: () => number;
}

export type BundleVerdict =
  /** In force from now on. */
  | { readonly kind: "accepted"; readonly bundle: BundleInForce }
  /** It is the one in force. */
  | { readonly kind: "unchanged"; readonly bundle: BundleInForce }
  /** A code BUNDLE_…; what was in force stays. */
  | { readonly kind: "refused"; readonly reason: BackstayError };

export class BundleBook {
  readonly #options: BundleBookOptions;
  #inForce: BundleInForce | undefined;
  #refusal: BackstayError | undefined;
  #floors: BundleFloors = noFloors;
  #isCopied = true;

  constructor(options: BundleBookOptions) {
    this.#options = options;
  }

  /** Undefined before the first bundle, and before `load`. */
  get inForce(): BundleInForce | undefined {
    return this.#inForce;
  }

  /** Why the newest bundle that was offered, or one kept here, is not in force; undefined once a newer one is. */
  get refusal(): BackstayError | undefined {
    return this.#refusal;
  }

  /** The serial for the header `backstay-serial`; 0 before the first. */
  get acceptedSerial(): number {
    return this.#floors.serial;
  }

  /** False while the copy beside the identity could not be written; `offer` tries again. */
  get isCopied(): boolean {
    return this.#isCopied;
  }

  /**
   * Puts the newest of what this machine kept in force, each verified anew: of the database the newest bundle and the
   * one before it, and the copy beside the identity. To be called once, before `offer`.
   */
  async load(): Promise<BundleInForce | undefined> {
    const { reader, store, copy } = this.#options;
    const copied = await copy.read();
    const kept = [...(copied === undefined ? [] : [copied]), ...store.all()];
    const good: VerifiedBundle[] = [];
    for (const { jws, floors } of kept) {
      const known = bundleFloors.safeParse(floors);
      if (known.success) this.#floors = laterFloors(this.#floors, known.data);
      try {
        good.push(verifyBundle(jws, reader));
      } catch (error) {
        if (!isBackstayError(error)) throw error;
        this.#refusal = error;
      }
    }
    const [newest] = good.toSorted(
      (a, b) => b.floors.trustVersion - a.floors.trustVersion || b.bundle.serial - a.bundle.serial,
    );
    if (newest === undefined) return undefined;
    this.#inForce = newest.bundle;
    this.#floors = laterFloors(this.#floors, newest.floors);
    const { serial, hash } = newest.bundle;
    if (serial >= this.#floors.serial && hash === this.#floors.hash) this.#refusal = undefined;
    else
      this.#refusal ??= new BackstayError("BUNDLE_OLD", { serial, accepted: this.#floors.serial });
    return this.#inForce;
  }

  /**
   * Takes a bundle into force if it passes every check. When this resolves with `accepted` it is kept: in the database,
   * and beside the identity unless that disk did not take it (`isCopied`).
   */
  async offer(jws: string, signal: AbortSignal): Promise<BundleVerdict> {
    const before = this.#inForce;
    if (before !== undefined && before.hash === bundleHash(jws)) {
      if (!this.#isCopied) await this.#writeCopy(jws, signal);
      return { kind: "unchanged", bundle: before };
    }
    let verified: VerifiedBundle;
    try {
      verified = verifyBundle(jws, this.#options.reader, this.#floors);
      requireSubstance(before, verified.bundle);
    } catch (error) {
      if (!isBackstayError(error)) throw error;
      this.#refusal = error;
      return { kind: "refused", reason: error };
    }
    const { bundle, floors } = verified;
    this.#options.store.put({ jws, floors, acceptedMs: this.#options.nowMs() });
    this.#inForce = bundle;
    this.#floors = floors;
    this.#refusal = undefined;
    await this.#writeCopy(jws, signal);
    return { kind: "accepted", bundle };
  }

  /** Forgets all bundles: this machine has left its fleet. */
  async clear(): Promise<void> {
    this.#inForce = undefined;
    this.#refusal = undefined;
    this.#floors = noFloors;
    this.#options.store.clear();
    await this.#options.copy.remove();
  }

  async #writeCopy(jws: string, signal: AbortSignal): Promise<void> {
    this.#isCopied = false;
    try {
      await this.#options.copy.write({ jws, floors: this.#floors }, signal);
      this.#isCopied = true;
    } catch {
      // The database has it; isCopied tells, and the next offer tries again.
      signal.throwIfAborted();
    }
  }
}

/** Silence is not consent. BUNDLE_EMPTY if far less would be backed up and nobody says that this is meant. */
function requireSubstance(before: BundleInForce | undefined, after: BundleInForce): void {
  if (before === undefined || before.policies.size === 0 || after.intent !== "normal") return;
  const policiesOf = ({ policies }: BundleInForce) =>
    [...policies.values()].map((each) => each.policy);
  if (after.policies.size === 0)
    throw new BackstayError("BUNDLE_EMPTY", { policies: 0, before: before.policies.size });
  if (losesMostPlaces(policiesOf(before), policiesOf(after)))
    throw new BackstayError("BUNDLE_EMPTY", { problem: "more than half of the paths are gone" });
}
