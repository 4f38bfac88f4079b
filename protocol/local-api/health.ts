/** Whether an agent does its work, in one word and with every reason. */
import type { HealthCondition } from "../health-condition.ts";

export type HealthLevel = "ok" | "warning" | "error";

/** Something that somebody should know, in words. */
export interface HealthReason extends Omit<HealthCondition, "facts"> {
  /** One sentence. */
  readonly text: string;
  /** What to do now. */
  readonly remedy: string;
}

export interface Health {
  /** That of the worst reason. What is only for information, or known to somebody, does not count. */
  readonly level: HealthLevel;
  /** Errors first. */
  readonly reasons: readonly HealthReason[];
}
