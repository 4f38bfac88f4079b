/** Something about this agent that somebody should know, for as long as it is so. */

export const conditionSeverities = ["info", "warning", "error"] as const;
export type ConditionSeverity = (typeof conditionSeverities)[number];

export interface HealthCondition {
  /** Stable: `BACKUP_TOO_OLD`, or a code of the error catalogue. */
  readonly code: string;
  /** The policy, place or the like that it is about; empty for the whole agent. */
  readonly subject: string;
  readonly severity: ConditionSeverity;
  /** Ms since 1970. */
  readonly sinceMs: number;
  /** When somebody said that it is known; absent otherwise. */
  readonly acknowledgedMs?: number;
  /** What is put into its text. No secrets. */
  readonly facts: Readonly<Record<string, string | number>>;
}
