/** Verbs of `backstay-server agent` about what the machine's next bundle is to say. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentIntent } from "../../protocol/management/agents.ts";
import {
  addTenantOption,
  agents,
  idOf,
  operand,
  repositories,
  said,
  targetIdOf,
  tenantIdOf,
} from "./resource-verbs.ts";
import type { Verb } from "./verb.ts";

const intent: Verb = {
  name: "intent",
  summary: "say that a machine is meant to back up less than before, or nothing",
  examples: [
    "backstay-server agent intent pc1 stop",
    "backstay-server agent intent pc1 pause",
    "backstay-server agent intent pc1 normal",
  ],
  define: (command) => {
    command
      .argument("<agent>", "name or id")
      .argument("<intent>", "pause or stop; normal takes it back");
    addTenantOption(command);
  },
  run: async (call) => {
    const body = agentIntent.safeParse({ intent: operand(call, 1) }).data;
    if (body === undefined)
      throw new BackstayError("USAGE", { problem: "the intent is pause, stop or normal" });
    const id = await targetIdOf(call, agents);
    await (await call.client()).post(`${agents.path}/${id}/intent`, body);
    return said({ id, ...body }, `${operand(call)}: ${body.intent}`);
  },
};

const renewPassword: Verb = {
  name: "renew-password",
  summary: "make another automatic password; the machine changes its repository with its next run",
  examples: ["backstay-server agent renew-password pc1 --repository main"],
  define: (command) => {
    command
      .argument("<agent>", "name or id")
      .requiredOption("--repository <repository>", "name or id");
    addTenantOption(command);
  },
  run: async (call) => {
    const client = await call.client();
    const tenantId = await tenantIdOf(call);
    const id = await idOf(client, agents, operand(call), tenantId);
    const given = String(call.options["repository"]);
    const repositoryId = await idOf(client, repositories, given, tenantId);
    await client.post(`${agents.path}/${id}/renew-password`, { repositoryId });
    return said(
      { id, repositoryId },
      `${operand(call)}: a new password for ${given} is on its way`,
    );
  },
};

export const agentIntentVerbs: readonly Verb[] = [intent, renewPassword];
