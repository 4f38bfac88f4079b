/** How many machines something would reach: what people are shown before they change it. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Queries } from "../ground/server-ground.ts";
import { type GroupSelector, selects } from "./group-selector.ts";

export interface AgentSelection {
  /** Machines, each counted once. */
  readonly count: number;
  /** The first few. */
  readonly examples: { readonly id: string; readonly name: string }[];
}

const examplesMax = 10;
const batchRows = 1000;

/** Machines of a tenant that are in any of the groups, or named. RESOURCE_INVALID for a group that is not the tenant's. */
export async function selectionOf(
  queries: Queries,
  tenantId: string,
  {
    groupIds,
    agentIds,
  }: { readonly groupIds: readonly string[]; readonly agentIds: readonly string[] },
): Promise<AgentSelection> {
  const known = await queries
    .selectFrom("groups")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .execute();
  const unknown = groupIds.find((id) => !known.some((group) => group.id === id));
  if (unknown !== undefined)
    throw new BackstayError("RESOURCE_INVALID", { field: "groupIds", unknown });
  const named = new Set(agentIds);
  const members = new Set<string>();
  for (const groupId of groupIds) {
    const rows = await queries
      .selectFrom("group_members")
      .select("agent_id")
      .where("group_id", "=", groupId)
      .execute();
    for (const { agent_id: id } of rows) members.add(id);
  }
  return await count(queries, tenantId, ({ id }) => named.has(id) || members.has(id));
}

/** Machines of a tenant that a group with this selector would have; none if people would put them in. */
export async function selectionBy(
  queries: Queries,
  tenantId: string,
  selector: GroupSelector,
): Promise<AgentSelection> {
  return await count(queries, tenantId, ({ name, labels }) =>
    selects(selector, { name, labels: JSON.parse(labels) as Record<string, string> }),
  );
}

async function count(
  queries: Queries,
  tenantId: string,
  isMeant: (machine: { id: string; name: string; labels: string }) => boolean,
): Promise<AgentSelection> {
  const examples: { id: string; name: string }[] = [];
  let found = 0;
  for (let after = ""; ; ) {
    const machines = await queries
      .selectFrom("agents")
      .select(["id", "name", "labels"])
      .where("tenant_id", "=", tenantId)
      .where("id", ">", after)
      .orderBy("id")
      .limit(batchRows)
      .execute();
    for (const machine of machines.filter(isMeant)) {
      found += 1;
      if (examples.length < examplesMax) examples.push({ id: machine.id, name: machine.name });
    }
    const last = machines.at(-1);
    if (last === undefined || machines.length < batchRows) return { count: found, examples };
    after = last.id;
  }
}
