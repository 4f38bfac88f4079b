/** `backstay-server token`: enrolment tokens, by which machines join. */
import type {
  EnrolmentTokenAnswer,
  NewEnrolmentTokenAnswer,
} from "../../protocol/management/enrolments.ts";
import { groups } from "./noun-group.ts";
import { countOption, labelsOf, listOf, momentOption, textOf } from "./option-values.ts";
import { agoText, momentText } from "./quantities.ts";
import {
  addTenantOption,
  agents,
  idOf,
  listVerb,
  operand,
  type ResourceKind,
  removeVerb,
  showVerb,
  tenantIdOf,
} from "./resource-verbs.ts";
import { collect, type Verb } from "./verb.ts";

export const enrolmentTokens: ResourceKind = { noun: "token", path: "/api/v1/enrolment-tokens" };

function standText(token: EnrolmentTokenAnswer, nowMs: number): string {
  if (token.revokedMs !== null) return "revoked";
  if (token.expiresMs <= nowMs) return "expired";
  return token.uses >= token.usesMax ? "used up" : "usable";
}

const create: Verb = {
  name: "create",
  summary: "make a token for machines to join by, and print it this once",
  examples: [
    "backstay-server token create office --uses 50 --expires 7d --group laptops",
    "backstay-server token create branch --uses 20 --approval --network 10.1.0.0/16",
    "backstay-server token create voucher --agent pc1     (pc1 was reinstalled and takes its place again)",
  ],
  define: (command) => {
    command
      .argument("<name>", "name of the new token")
      .option("--uses <n>", "machines that may join by it", "1")
      .option("--expires <when>", "date or duration", "24h")
      .option("--group <group>", "a group that people put machines into")
      .option("--label <name=value>", "label for each machine; repeatable", collect)
      .option("--network <cidr>", "machines must come from there; repeatable", collect)
      .option("--approval", "each machine waits for an administrator")
      .option("--agent <agent>", "for this machine, which takes its place again");
    addTenantOption(command);
  },
  run: async (call) => {
    const { options } = call;
    const client = await call.client();
    const tenantId = await tenantIdOf(call);
    const group = textOf(options["group"]);
    const agent = textOf(options["agent"]);
    const { body } = await client.post(enrolmentTokens.path, {
      tenantId,
      name: operand(call),
      usesMax: countOption("uses", options["uses"]),
      expiresMs: momentOption("expires", options["expires"], Date.now()),
      groupId: group === undefined ? null : await idOf(client, groups, group, tenantId),
      labels: labelsOf(options["label"]),
      networks: listOf(options["network"]),
      needsApproval: options["approval"] === true,
      agentId: agent === undefined ? null : await idOf(client, agents, agent, tenantId),
    });
    const made = body as NewEnrolmentTokenAnswer;
    // The token alone on standard output, so that it can go into a file.
    call.io.note(
      `token ${made.name} made, until ${momentText(made.expiresMs)}. It is shown this once:`,
    );
    return { json: made, lines: [made.token] };
  },
};

export const tokenVerbs: readonly Verb[] = [
  listVerb<EnrolmentTokenAnswer>({
    kind: enrolmentTokens,
    summary: "list enrolment tokens, never their texts",
    examples: ["backstay-server token list"],
    titles: ["NAME", "STATE", "USES", "EXPIRES", "APPROVAL", "ID"],
    row: (token, nowMs) => [
      token.name,
      standText(token, nowMs),
      `${token.uses} of ${token.usesMax}`,
      agoText(token.expiresMs, nowMs),
      token.needsApproval ? "needed" : "no",
      token.id,
    ],
  }),
  showVerb<EnrolmentTokenAnswer>({
    kind: enrolmentTokens,
    example: "backstay-server token show office",
    facts: (token, nowMs) => [
      ["Name", token.name],
      ["Id", token.id],
      ["Tenant", token.tenantId],
      ["State", standText(token, nowMs)],
      ["Uses", `${token.uses} of ${token.usesMax}`],
      ["Expires", momentText(token.expiresMs)],
      ["Group", token.groupId ?? "-"],
      ["Labels", JSON.stringify(token.labels)],
      ["Networks", token.networks.join(", ") || "anywhere"],
      ["Approval", token.needsApproval ? "needed" : "not needed"],
      ["For machine", token.agentId ?? "any"],
    ],
  }),
  create,
  removeVerb({
    kind: enrolmentTokens,
    name: "revoke",
    summary: "let no machine join by a token any more; those that have stay",
    example: "backstay-server token revoke office",
    done: "revoked",
  }),
];
