/** Which policies of the server this machine carries out, and what is wrong with the others. */
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";
import type { BundleInForce, ServerPolicy } from "../control/bundle-in-force.ts";
import { unsupportedSettings } from "../policy/engine-support.ts";
import { guardRailObjections } from "../policy/guard-rail-objections.ts";
import type { PolicyProblem } from "../policy-files/policy-folder.ts";

export interface ServerPolicies {
  /** By name. */
  readonly accepted: ReadonlyMap<string, ServerPolicy>;
  /** `file` is `server: NAME`, and lines are 0. */
  readonly problems: readonly PolicyProblem[];
}

/** Guard rails hold whoever a policy comes from; nothing that no engine does yet is passed over. */
export function serverPolicies(
  bundle: BundleInForce | undefined,
  rails: GuardRails,
): ServerPolicies {
  const accepted = new Map<string, ServerPolicy>();
  const problems: PolicyProblem[] = [];
  for (const [name, given] of bundle?.policies ?? []) {
    const unsupported = unsupportedSettings(given.policy, "server");
    const restricted = guardRailObjections(given.policy, rails);
    if (unsupported.length > 0) problems.push(refused(name, "POLICY_UNSUPPORTED", unsupported));
    else if (restricted.length > 0) problems.push(refused(name, "POLICY_RESTRICTED", restricted));
    else accepted.set(name, given);
  }
  return { accepted, problems };
}

function refused(
  name: string,
  code: PolicyProblem["code"],
  objections: readonly Objection[],
): PolicyProblem {
  const mistakes = objections.map((objection) => ({ line: 0, column: 0, ...objection }));
  return { file: `server: ${name}`, code, mistakes };
}
