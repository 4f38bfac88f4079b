/** Whether policies that were read may be used on this machine, beside those that are already there. */
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import { unsupportedSettings } from "./engine-support.ts";
import { guardRailObjections } from "./guard-rail-objections.ts";
import { orderObjections } from "./policy-order.ts";
import { type PolicyReading, refusal } from "./read-policies.ts";

/** What policies meet on a machine. */
export interface Machine {
  readonly rails: GuardRails;
  /** The policies that are there already, by name. */
  readonly policies: ReadonlyMap<string, Policy>;
}

/**
 * The same readings, with those refused that ask for what no engine does yet, for what the machine does not allow, or
 * to start after a policy that is neither among them nor on the machine. The first of these reasons is told. Without
 * a machine only the engines count.
 */
export function acceptPolicies(
  readings: readonly PolicyReading[],
  machine?: Machine,
): PolicyReading[] {
  const possible = readings.map((reading) => {
    if (reading.kind === "refused") return reading;
    const unsupported = unsupportedSettings(reading.policy);
    if (unsupported.length > 0) return refusal(reading, "POLICY_UNSUPPORTED", unsupported);
    const restricted =
      machine === undefined ? [] : guardRailObjections(reading.policy, machine.rails);
    return restricted.length > 0 ? refusal(reading, "POLICY_RESTRICTED", restricted) : reading;
  });
  if (machine === undefined) return possible;
  const all = new Map(machine.policies);
  for (const reading of possible)
    if (reading.kind === "read") all.set(reading.name, reading.policy);
  return possible.map((reading) => {
    if (reading.kind === "refused") return reading;
    const objections = orderObjections(reading.policy, all);
    return objections.length > 0 ? refusal(reading, "POLICY_INVALID", objections) : reading;
  });
}
