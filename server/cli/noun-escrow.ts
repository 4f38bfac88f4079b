/** `backstay-server escrow`: recovery passwords that machines have sealed to their tenant's recovery key. */
import type { EscrowAnswer, ReleasedEscrowAnswer } from "../../protocol/management/licences.ts";
import { offlineEscrowVerbs } from "./offline-verbs.ts";
import { textOf } from "./option-values.ts";
import { momentText } from "./quantities.ts";
import { agents, idOf, listVerb, operand, type ResourceKind } from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const escrow: ResourceKind = { noun: "escrow", path: "/api/v1/escrow", isUnnamed: true };

const release: Verb = {
  name: "release",
  summary: "print a sealed recovery password, and note who took it; the recovery key opens it",
  examples: ["backstay-server escrow release 01a2086a-e1fe-7cfe-892a-eb5fc9219f93 > password.jwe"],
  define: (command) => void command.argument("<escrow>", "id"),
  run: async (call) => {
    const id = encodeURIComponent(operand(call));
    const { body } = await (await call.client()).post(`${escrow.path}/${id}/release`);
    return { json: body, lines: [(body as ReleasedEscrowAnswer).sealed] };
  },
};

export const escrowVerbs: readonly Verb[] = [
  listVerb<EscrowAnswer>({
    kind: escrow,
    summary: "list what machines have sealed, without it",
    examples: ["backstay-server escrow list --agent pc1"],
    titles: ["MACHINE", "REPOSITORY", "RECOVERY KEY", "KEY FILE", "GIVEN", "ID"],
    row: ({ agentId, repositoryId, recoveryKeyId, keyName, createdMs, id }) => [
      agentId,
      repositoryId,
      recoveryKeyId,
      keyName,
      momentText(createdMs),
      id,
    ],
    define: (command) =>
      void command.option("--agent <agent>", "of this machine; an id if it is forgotten"),
    query: async ({ options, client }, tenantId) => {
      const agent = textOf(options["agent"]);
      return {
        agentId:
          agent === undefined ? undefined : await idOf(await client(), agents, agent, tenantId),
      };
    },
  }),
  release,
  ...offlineEscrowVerbs,
];
