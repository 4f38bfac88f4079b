/** What was found out about the place of a repository before anybody depends on it. */

export const placeChecks = [
  /** It answers, and is the server that it should be. */
  "reach",
  /** Its clock and ours agree well enough for signatures. */
  "clock",
  "account-kind",
  "list",
  "write",
  "read",
  /** A second write of the same name is refused by the storage itself. */
  "create-only",
  "remove",
  "versioning",
  "retention-lock",
  /** Rules by which the storage removes or moves objects by itself. */
  "lifecycle",
  "soft-delete",
  "storage-class",
] as const;
export type PlaceCheck = (typeof placeChecks)[number];

export interface PlaceFinding {
  readonly check: PlaceCheck;
  /** `bad`: backups or restores would fail or be lost. `unknown`: the account may not look, or the storage does not say. */
  readonly verdict: "good" | "warning" | "bad" | "unknown";
  /** What was found, a sentence for people, without secrets. */
  readonly found: string;
  /** What to do about it; there for all but `good`. */
  readonly remedy?: string;
}

export interface PlaceInspection {
  /**
   * Looks at everything, in the order of `placeChecks`; writes, reads and removes an object of its own. Ends early after a
   * `bad` finding of `reach`. What fails is a finding, so it rejects with the signal's reason only.
   */
  findings(signal: AbortSignal): AsyncIterable<PlaceFinding>;
  close(): Promise<void>;
}
