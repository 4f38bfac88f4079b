/** `backstay-server rollout`: changes of policies on their way to machines. A rollout is named by its policy. */
import type {
  PolicyAnswer,
  RolloutAnswer,
  RolloutObservationAnswer,
} from "../../protocol/management/policies.ts";
import { policies } from "./noun-policy.ts";
import { agoText, durationText } from "./quantities.ts";
import {
  addTenantOption,
  idOf,
  listVerb,
  operand,
  type ResourceKind,
  said,
  tenantIdOf,
} from "./resource-verbs.ts";
import { factLines } from "./text-table.ts";
import type { Verb, VerbCall } from "./verb.ts";

const rollouts: ResourceKind = { noun: "rollout", path: "/api/v1/rollouts" };

function standText({ wave, waves, state, reason }: RolloutAnswer): string {
  const reached = `wave ${wave + 1} of ${waves.length}, ${waves[wave].percent} % of the machines`;
  return `${state}, ${reached}${reason === "" ? "" : `: ${reason}`}`;
}

function wavesText({ waves }: RolloutAnswer): string {
  return waves
    .map(({ percent, soakMs }) => `${percent} %, then ${durationText(soakMs)}`)
    .join("\n");
}

function observedFacts(seen: RolloutObservationAnswer): (readonly [string, string])[] {
  return [
    ["Machines reached", `${seen.members}, of which ${seen.ran} have run since`],
    ["Refused it", String(seen.applyFailures)],
    ["Fail since", String(seen.newRunFailures)],
    ["Silent", `${seen.silent}; of ${seen.others} others ${seen.othersSilent}`],
  ];
}

const show: Verb = {
  name: "show",
  summary: "show how a rollout stands, and how the machines fare that it has reached",
  examples: ["backstay-server rollout show documents"],
  define: definePolicy,
  run: async (call) => {
    const { body } = await (await call.client()).get(`${rollouts.path}/${await policyIdOf(call)}`);
    const { policy, observed } = body as {
      policy: PolicyAnswer;
      observed: RolloutObservationAnswer | null;
    };
    const { rollout } = policy;
    const facts: (readonly [string, string])[] =
      rollout === null
        ? [["State", "every machine has it, or gets it with its next poll"]]
        : [
            ["State", standText(rollout)],
            ["Since", agoText(rollout.waveSinceMs, Date.now())],
            ["Waves", wavesText(rollout)],
            ["Started by", rollout.startedBy],
            ...(observed === null ? [] : observedFacts(observed)),
          ];
    const about = ["Policy", `${policy.name}, version ${policy.policyVersion}`] as const;
    return { json: body, lines: factLines([about, ...facts]) };
  },
};

function order(name: string, summary: string): Verb {
  return {
    name,
    summary,
    examples: [`backstay-server rollout ${name} documents`],
    define: definePolicy,
    run: async (call) => {
      const client = await call.client();
      const { body } = await client.post(`${rollouts.path}/${await policyIdOf(call)}/${name}`);
      const { name: policy, rollout } = body as PolicyAnswer;
      const stand = rollout === null ? "nothing is on its way any more" : standText(rollout);
      return said(body, `policy ${policy}: ${stand}`);
    },
  };
}

function definePolicy(command: Parameters<NonNullable<Verb["define"]>>[0]): void {
  command.argument("<policy>", "name or id");
  addTenantOption(command);
}

async function policyIdOf(call: VerbCall): Promise<string> {
  return await idOf(await call.client(), policies, operand(call), await tenantIdOf(call));
}

export const rolloutVerbs: readonly Verb[] = [
  listVerb<PolicyAnswer>({
    kind: rollouts,
    summary: "list policies whose change is on its way",
    examples: ["backstay-server rollout list"],
    titles: ["POLICY", "VERSION", "STATE", "SINCE"],
    row: ({ name, policyVersion, rollout }, nowMs) => [
      name,
      String(policyVersion),
      rollout === null ? "done" : standText(rollout),
      agoText(rollout?.startedMs, nowMs),
    ],
  }),
  show,
  order("pause", "hold a rollout: machines that were not reached keep what they have"),
  order("resume", "go on with a rollout that was paused, or halted itself"),
  order("advance", "go on to the next wave now"),
  order("finish", "give the change to every machine now"),
  order("abort", "take the change back: every machine gets what it had before"),
];
