/** `backstay-server policy`: what machines back up. Policies are written with `apply`. */
import { stringify } from "yaml";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { PolicyAnswer, SelectionAnswer } from "../../protocol/management/policies.ts";
import { groups, selectionShown } from "./noun-group.ts";
import { listOf } from "./option-values.ts";
import {
  addTarget,
  addTenantOption,
  agents,
  idOf,
  listVerb,
  type ResourceKind,
  removeVerb,
  targetOf,
  tenantIdOf,
} from "./resource-verbs.ts";
import { collect, type Verb, type VerbCall } from "./verb.ts";

export const policies: ResourceKind = { noun: "policy", path: "/api/v1/policies" };

/** Where a policy's data goes, as its document says it. */
function destinationText({ document }: PolicyAnswer): string {
  const { destination } = document as { destination?: { repository?: unknown } };
  return typeof destination?.repository === "string" ? destination.repository : "-";
}

function reachText({ groupIds, agentIds }: PolicyAnswer): string {
  const parts = [
    ...(groupIds.length === 0 ? [] : [`${groupIds.length} groups`]),
    ...(agentIds.length === 0 ? [] : [`${agentIds.length} machines`]),
  ];
  return parts.join(", ") || "nobody";
}

const show: Verb = {
  name: "show",
  summary: "print the document of a policy, and how it stands on standard error",
  examples: [
    "backstay-server policy show documents",
    "backstay-server policy show documents --json",
  ],
  define: (command) => addTarget(command, policies),
  run: async (call) => {
    const { body } = await targetOf<PolicyAnswer>(call, policies);
    const { rollout, policyVersion, managedBy } = body;
    const stand = rollout === null ? "in force everywhere" : `on its way (${rollout.state})`;
    call.io.note(
      `policy ${body.name}, version ${policyVersion}, ${stand}; for ${reachText(body)}; runs started by the ${managedBy}`,
    );
    return { json: body, lines: [stringify(body.document).trimEnd()] };
  },
};

const preview: Verb = {
  name: "preview",
  summary: "count the machines that a policy for these groups and machines would reach",
  examples: ["backstay-server policy preview --group laptops --agent pc1"],
  define: (command) => {
    command
      .option("--group <group>", "name or id; repeatable", collect)
      .option("--agent <agent>", "name or id; repeatable", collect);
    addTenantOption(command);
  },
  run: async (call) => {
    const tenantId = await tenantIdOf(call);
    const groupIds = await idsOf(call, groups, "group", tenantId);
    const agentIds = await idsOf(call, agents, "agent", tenantId);
    if (groupIds.length + agentIds.length === 0)
      throw new BackstayError("USAGE", { problem: "give --group or --agent" });
    const { body } = await (await call.client()).post(`${policies.path}/preview`, {
      tenantId,
      groupIds,
      agentIds,
    });
    return selectionShown(body as SelectionAnswer);
  },
};

async function idsOf(
  call: VerbCall,
  kind: ResourceKind,
  option: string,
  tenantId: string | undefined,
): Promise<string[]> {
  const ids: string[] = [];
  for (const given of listOf(call.options[option]))
    ids.push(await idOf(await call.client(), kind, given, tenantId));
  return ids;
}

export const policyVerbs: readonly Verb[] = [
  listVerb<PolicyAnswer>({
    kind: policies,
    summary: "list policies",
    examples: ["backstay-server policy list"],
    titles: ["NAME", "VERSION", "WHERE TO", "FOR", "STARTED BY", "ROLLOUT", "ID"],
    row: (policy) => [
      policy.name,
      String(policy.policyVersion),
      destinationText(policy),
      reachText(policy),
      policy.managedBy,
      policy.rollout?.state ?? "-",
      policy.id,
    ],
  }),
  show,
  preview,
  removeVerb({
    kind: policies,
    summary: "remove a policy; what its machines stored stays",
    example: "backstay-server policy remove documents --reduction",
    done: "removed; what its machines stored stays",
    define: (command) =>
      void command.option(
        "--reduction",
        "it is meant: else machines refuse to lose more than half of what they back up",
      ),
    query: ({ options }) => (options["reduction"] === true ? "?reduction=true" : ""),
  }),
];
