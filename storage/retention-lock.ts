/**
 * Objects that nobody can remove before a time: S3 Object Lock, version-level immutability of Azure, object retention of
 * Google. What a store saves is locked as it is made (but for locks of sessions); what snapshots still need is extended.
 */
/** `governance`: who has a special right may shorten it. `compliance`: nobody. */
export const retentionModes = ["governance", "compliance"] as const;
export type RetentionMode = (typeof retentionModes)[number];

/** How new objects are locked. */
export interface RetentionRule {
  readonly mode: RetentionMode;
  /** From the moment of saving, 1 to 36500. */
  readonly days: number;
}
