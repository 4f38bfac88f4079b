/** For how long, and how strictly, nobody can remove a restore point and what it needs. */
/** `governance`: who has a special right may shorten it. `compliance`: nobody. */
export const retentionModes = ["governance", "compliance"] as const;
export type RetentionMode = (typeof retentionModes)[number];

export interface Immutability {
  readonly mode: RetentionMode;
  /** From the beginning of the backup that makes a restore point, 1 to 36500. */
  readonly days: number;
}
