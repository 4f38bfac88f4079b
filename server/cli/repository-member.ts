/** `backstay-server repository member`: pools, and whether their members take part. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { stateOf } from "../../protocol/control/repository-stand.ts";
import { repositoryModes } from "../../protocol/control/repository-state.ts";
import type { RepositoryAnswer } from "../../protocol/management/repositories.ts";
import type { ManagementClient } from "./management-client.ts";
import {
  addTenantOption,
  type Found,
  findResource,
  operand,
  repositories,
  said,
  targetOf,
  tenantIdOf,
} from "./resource-verbs.ts";
import { tableLines } from "./text-table.ts";
import type { Shown, Verb, VerbCall } from "./verb.ts";

type FoundRepository = Found<RepositoryAnswer>;

/** `maintenance, sealed; 2 of 5 machines still run there or have not confirmed`. */
export function standText({ modes, machines, pending }: RepositoryAnswer): string {
  const state = modes.length === 0 ? "active" : modes.join(", ");
  return pending === 0
    ? state
    : `${state}; ${pending} of ${machines} machines still run there or have not confirmed`;
}

export const member: Verb = {
  name: "member",
  summary: "pools: add NAME MEMBER, list NAME, set-state NAME active|maintenance|sealed",
  examples: [
    "backstay-server repository member add pool disk-a",
    "backstay-server repository member list pool",
    "backstay-server repository member set-state disk-a maintenance",
    "backstay-server repository member set-state disk-a sealed maintenance",
    "backstay-server repository member set-state disk-a active",
  ],
  define: (command) => {
    command
      .argument("<action>", "add, list or set-state")
      .argument("<name>", "of add and list the pool, which add makes if need be; else the member")
      .argument(
        "[words...]",
        "of add the member; of set-state active, maintenance, sealed, or both",
      );
    addTenantOption(command);
  },
  run: async (call) => {
    const action = operand(call);
    if (action === "add") return await add(call);
    if (action === "list") return await list(call);
    if (action === "set-state") return await setState(call);
    throw new BackstayError("USAGE", { action, problem: "the action is add, list or set-state" });
  },
};

async function add(call: VerbCall): Promise<Shown> {
  const client = await call.client();
  const tenantId = await tenantIdOf(call);
  const [, name = "", given] = call.operands;
  if (given === undefined) throw new BackstayError("USAGE", { problem: "name the member" });
  const known = (await client.list<RepositoryAnswer>(repositories.path, { tenantId, name })).length;
  const done = `pool ${name}: ${given} is a member`;
  if (known === 0) {
    const pool = { tenantId, name, members: [given] };
    return said((await client.post(repositories.path, pool)).body, done);
  }
  const pool = await findResource<RepositoryAnswer>(client, repositories, name, tenantId);
  return said(await put(client, pool, { members: [...pool.body.members, given] }), done);
}

async function list(call: VerbCall): Promise<Shown> {
  const client = await call.client();
  const { body } = await targetOf<RepositoryAnswer>(call, repositories, 1);
  const all = await client.list<RepositoryAnswer>(repositories.path, { tenantId: body.tenantId });
  const members = all.filter(({ name }) => body.members.includes(name));
  const titles = ["MEMBER", "STATE", "MACHINES", "MODES"];
  const rows = members.map((each) => [
    each.name,
    stateOf(each.modes),
    String(each.machines),
    standText(each),
  ]);
  return { json: members, lines: tableLines(titles, rows) };
}

async function setState(call: VerbCall): Promise<Shown> {
  const words = call.operands.slice(2);
  const modes = repositoryModes.safeParse(words[0] === "active" ? words.slice(1) : words).data;
  if (modes === undefined || words.length === 0 || (words[0] === "active" && words.length > 1))
    throw new BackstayError("USAGE", {
      problem: "the state is active, maintenance, sealed, or the last two together",
    });
  const found = await targetOf<RepositoryAnswer>(call, repositories, 1);
  const body = await put(await call.client(), found, { modes });
  return said(body, `repository ${found.body.name}: ${standText(body)}`);
}

/** Replaces what is told, and keeps the rest. */
async function put(
  client: ManagementClient,
  { etag, body }: FoundRepository,
  change: object,
): Promise<RepositoryAnswer> {
  const { id, name, routes, members, quotas } = body;
  const settings = { name, routes, members, quotas, ...change };
  return (await client.put(`${repositories.path}/${id}`, etag, settings)).body as RepositoryAnswer;
}
