/**
 * Objects that nobody can remove before a time: S3 Object Lock, version-level immutability of Azure, object retention of
 * Google. What a store saves is locked as it is made (but for locks of sessions); what snapshots still need is extended.
 */
import type { Immutability } from "../protocol/immutability.ts";

export type RetentionMode = Immutability["mode"];

/** How new objects are locked. */
export interface RetentionRule {
  readonly mode: RetentionMode;
  /** From the moment of saving, above 0. */
  readonly days: number;
}
