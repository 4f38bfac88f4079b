/** What is wrong with a policy as it is written, and where. */
import type { SettingPath } from "./setting-path.ts";

/** Something that must be changed before the policy can be used. */
export interface Objection {
  readonly path: SettingPath;
  /** What is wrong, as the rest of a sentence that begins with the setting. */
  readonly problem: string;
}

/** An objection with its place in the text. */
export interface Mistake extends Objection {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** Why a document was not accepted: the code of the catalogue that says it. */
export type RefusalCode =
  | "POLICY_INVALID"
  | "POLICY_NEWER"
  | "POLICY_UNSUPPORTED"
  | "POLICY_RESTRICTED";
