/** The rows that say which machine is in which group, kept true to the groups' selectors. */
import type { Queries } from "../ground/server-ground.ts";
import { type GroupSelector, selects } from "./group-selector.ts";

/** Rows a statement: far below what databases take as parameters. */
const batchRows = 1000;

export interface SelectingGroup {
  readonly id: string;
  readonly tenantId: string;
  readonly selector: GroupSelector;
}

/** Writes the members of a group that selects by labels or names anew. Does nothing for one whose members people choose. */
export async function selectMembers(queries: Queries, group: SelectingGroup): Promise<void> {
  if (group.selector.kind === "static") return;
  await queries.deleteFrom("group_members").where("group_id", "=", group.id).execute();
  for (let after = ""; ; ) {
    const machines = await queries
      .selectFrom("agents")
      .select(["id", "name", "labels"])
      .where("tenant_id", "=", group.tenantId)
      .where("id", ">", after)
      .orderBy("id")
      .limit(batchRows)
      .execute();
    const chosen = machines.filter(({ name, labels }) =>
      selects(group.selector, { name, labels: JSON.parse(labels) as Record<string, string> }),
    );
    if (chosen.length > 0)
      await queries
        .insertInto("group_members")
        .values(chosen.map(({ id }) => ({ group_id: group.id, agent_id: id })))
        .execute();
    const last = machines.at(-1);
    if (last === undefined || machines.length < batchRows) return;
    after = last.id;
  }
}

/**
 * Puts one machine into the groups that select it and takes it out of those that no longer do: to be called in the
 * transaction that enrols it or changes its name or labels. Raise the revision of the tenant there too.
 */
export async function placeInGroups(queries: Queries, agentId: string): Promise<void> {
  const machine = await queries
    .selectFrom("agents")
    .select(["tenant_id", "name", "labels"])
    .where("id", "=", agentId)
    .executeTakeFirstOrThrow();
  const labels = JSON.parse(machine.labels) as Record<string, string>;
  const groups = await queries
    .selectFrom("groups")
    .select(["id", "kind", "selector"])
    .where("tenant_id", "=", machine.tenant_id)
    .where("kind", "!=", "static")
    .execute();
  if (groups.length === 0) return;
  const entering = groups.filter((group) =>
    selects(selectorOf(group.kind, group.selector), { name: machine.name, labels }),
  );
  await queries
    .deleteFrom("group_members")
    .where("agent_id", "=", agentId)
    .where(
      "group_id",
      "in",
      groups.map(({ id }) => id),
    )
    .execute();
  if (entering.length > 0)
    await queries
      .insertInto("group_members")
      .values(entering.map(({ id }) => ({ group_id: id, agent_id: agentId })))
      .execute();
}

/** Puts a machine into a group whose members people choose; harmless if it is in it. */
export async function joinGroup(queries: Queries, groupId: string, agentId: string): Promise<void> {
  await queries
    .insertInto("group_members")
    .values({ group_id: groupId, agent_id: agentId })
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The selector of a row of `groups`. */
export function selectorOf(kind: GroupSelector["kind"], json: string): GroupSelector {
  return { kind, ...(JSON.parse(json) as object) } as GroupSelector;
}
