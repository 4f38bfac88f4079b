/** What policies that start after each other must not do: wait for one that does not exist, or in a circle. */
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";

/** The names of the policies after which a policy starts. */
export function policiesBefore(policy: Policy): string[] {
  return policy.schedule.timers.flatMap((timer) =>
    timer.every === "after-policy" ? [timer.policy] : [],
  );
}

/** What is wrong with the timers of a policy among all policies, itself included. */
export function orderObjections(policy: Policy, all: ReadonlyMap<string, Policy>): Objection[] {
  return policy.schedule.timers.flatMap((timer, index) => {
    if (timer.every !== "after-policy") return [];
    const path = ["schedule", "timers", index, "policy"];
    if (!all.has(timer.policy))
      return [{ path, problem: `there is no policy ${timer.policy} to start after` }];
    return leadsTo(timer.policy, policy.name, all)
      ? [{ path, problem: `${timer.policy} itself starts after ${policy.name}` }]
      : [];
  });
}

function leadsTo(from: string, to: string, all: ReadonlyMap<string, Policy>): boolean {
  const seen = new Set([from]);
  for (const name of seen) {
    if (name === to) return true;
    const policy = all.get(name);
    for (const before of policy === undefined ? [] : policiesBefore(policy)) seen.add(before);
  }
  return false;
}
