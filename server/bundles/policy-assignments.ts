/** Which machines a policy is given to: those of groups, and single ones. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Queries } from "../ground/server-ground.ts";

export interface PolicyAssignments {
  readonly groupIds: readonly string[];
  readonly agentIds: readonly string[];
}

const batchRows = 500;

/** Of several policies, by their ids. */
export async function assignmentsOf(
  queries: Queries,
  policyIds: readonly string[],
): Promise<ReadonlyMap<string, PolicyAssignments>> {
  const found = new Map<string, { groupIds: string[]; agentIds: string[] }>(
    policyIds.map((id) => [id, { groupIds: [], agentIds: [] }]),
  );
  if (policyIds.length === 0) return found;
  const rows = await queries
    .selectFrom("policy_assignments")
    .selectAll()
    .where("policy_id", "in", policyIds)
    .execute();
  for (const { policy_id: policyId, group_id: groupId, agent_id: agentId } of rows) {
    if (groupId !== null) found.get(policyId)?.groupIds.push(groupId);
    if (agentId !== null) found.get(policyId)?.agentIds.push(agentId);
  }
  for (const { groupIds, agentIds } of found.values()) {
    groupIds.sort();
    agentIds.sort();
  }
  return found;
}

/** Puts these in place of those before. RESOURCE_INVALID for groups and machines that the tenant does not have. */
export async function assignPolicy(
  queries: Queries,
  { id, tenantId }: { readonly id: string; readonly tenantId: string },
  given: PolicyAssignments,
): Promise<void> {
  const groupIds = [...new Set(given.groupIds)];
  const agentIds = [...new Set(given.agentIds)];
  await requireKnown(queries, "groups", tenantId, groupIds);
  await requireKnown(queries, "agents", tenantId, agentIds);
  await queries.deleteFrom("policy_assignments").where("policy_id", "=", id).execute();
  const rows = [
    ...groupIds.map((group_id) => ({ group_id, agent_id: null })),
    ...agentIds.map((agent_id) => ({ group_id: null, agent_id })),
  ].map((row) => ({ policy_id: id, tenant_id: tenantId, ...row }));
  for (let at = 0; at < rows.length; at += batchRows)
    await queries
      .insertInto("policy_assignments")
      .values(rows.slice(at, at + batchRows))
      .execute();
}

/** Ids of the machines that a policy is given to, each once, in their order. */
export async function assignedAgents(queries: Queries, policyId: string): Promise<string[]> {
  const rows = await queries
    .selectFrom("policy_assignments")
    .innerJoin("group_members", "group_members.group_id", "policy_assignments.group_id")
    .select("group_members.agent_id as id")
    .where("policy_assignments.policy_id", "=", policyId)
    .union((both) =>
      both
        .selectFrom("policy_assignments")
        .select((row) => row.ref("policy_assignments.agent_id").$castTo<string>().as("id"))
        .where("policy_id", "=", policyId)
        .where("agent_id", "is not", null),
    )
    .orderBy("id")
    .execute();
  return rows.map(({ id }) => id);
}

async function requireKnown(
  queries: Queries,
  table: "groups" | "agents",
  tenantId: string,
  ids: readonly string[],
): Promise<void> {
  for (let at = 0; at < ids.length; at += batchRows) {
    const batch = ids.slice(at, at + batchRows);
    const rows = await queries
      .selectFrom(table)
      .select("id")
      .where("tenant_id", "=", tenantId)
      .where("id", "in", batch)
      .execute();
    const known = new Set(rows.map(({ id }) => id));
    const missing = batch.find((id) => !known.has(id));
    if (missing !== undefined)
      throw new BackstayError("RESOURCE_INVALID", { field: table, unknown: missing });
  }
}
