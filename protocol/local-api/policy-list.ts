/** Policies as the local API shows them. */

export interface PolicyEntry {
  readonly name: string;
  readonly description?: string;
  readonly kind: "workstation" | "server";
  readonly enabled: boolean;
  /** The file that it came from, or the server. */
  readonly origin: string;
  /** Ms since 1970. */
  readonly appliedMs: number;
  /** What it backs up, in a few words. */
  readonly source: string;
  /** Where to, without secrets. */
  readonly destination: string;
  /** When, in a few words. */
  readonly schedule: string;
}

/** What is wrong with a policy document that could not be applied. */
export interface PolicyProblem {
  /** The file, or the policy's name. */
  readonly origin: string;
  readonly text: string;
}

/** What `GET …/policies` answers. */
export interface PolicyList {
  readonly policies: readonly PolicyEntry[];
  readonly problems: readonly PolicyProblem[];
}

/** One value that is in force, and where it came from. */
export interface EffectiveValue {
  /** `schedule.retry.attempts` */
  readonly path: string;
  /** JSON; secrets are named, never shown. */
  readonly value: unknown;
  readonly origin: string;
}

/** What `GET …/policies/NAME` answers. */
export interface PolicyDetail extends PolicyEntry {
  readonly effective: readonly EffectiveValue[];
}
