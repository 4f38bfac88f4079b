/** Protection groups: machines that policies are given to together. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
  tenantRows,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { joinGroup, selectMembers, selectorOf } from "./group-members.ts";
import type { GroupSelector } from "./group-selector.ts";

export interface GroupSettings {
  readonly name: string;
  readonly selector: GroupSelector;
}

/** What a group is to be. */
export interface GroupChange extends GroupSettings {
  /** Of a group whose machines people choose: these and no others; absent: whoever is in it. */
  readonly agentIds?: readonly string[] | undefined;
}

export interface Group extends GroupSettings {
  readonly id: string;
  readonly tenantId: string;
  readonly createdMs: number;
  readonly version: number;
}

export interface GroupMember {
  readonly id: string;
  readonly name: string;
}

export class Groups {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined } = {},
  ): Promise<Group[]> {
    const rows = await tenantRows(this.#ground.database, "groups", scope, page, {
      name: filter.name,
    }).execute();
    return rows.map(groupOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<Group> {
    return await readGroup(this.#ground.database, scope, id);
  }

  /** RESOURCE_EXISTS if the tenant has one of the name, RESOURCE_UNKNOWN for machines that it has not. */
  async create(
    actor: string,
    tenantId: string,
    { agentIds, ...settings }: GroupChange,
  ): Promise<Group> {
    const group: Group = {
      id: randomUUIDv7(),
      tenantId,
      ...settings,
      createdMs: this.#ground.now(),
      version: 1,
    };
    await this.#change(actor, "group.create", group, async (queries) => {
      await requireFreeName(queries, group);
      await queries
        .insertInto("groups")
        .values({
          id: group.id,
          tenant_id: tenantId,
          ...columnsOf(settings),
          created_ms: group.createdMs,
          version: 1,
        })
        .execute();
      await selectMembers(queries, group);
      if (agentIds !== undefined) await setMembers(queries, group, agentIds);
    });
    return group;
  }

  /** RESOURCE_CHANGED if it is no longer at that version, RESOURCE_EXISTS if the new name is taken, and as `create`. */
  async replace(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    { agentIds, ...settings }: GroupChange,
  ): Promise<Group> {
    const before = await this.get(scope, id);
    const group: Group = { ...before, ...settings, version: version + 1 };
    await this.#change(actor, "group.update", group, async (queries) => {
      requireVersion("group", await readGroup(queries, scope, id), version);
      await requireFreeName(queries, group);
      const { numUpdatedRows } = await queries
        .updateTable("groups")
        .set({ ...columnsOf(settings), version: group.version })
        .where("id", "=", id)
        .where("version", "=", version)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new BackstayError("RESOURCE_CHANGED", { group: id });
      await selectMembers(queries, group);
      if (agentIds !== undefined) await setMembers(queries, group, agentIds);
    });
    return group;
  }

  /** RESOURCE_IN_USE while a policy or an enrolment token that is not revoked names it. Its machines stay. */
  async remove(actor: string, scope: TenantScope, id: string, version: number): Promise<void> {
    const group = await this.get(scope, id);
    await this.#change(actor, "group.remove", group, async (queries) => {
      requireVersion("group", await readGroup(queries, scope, id), version);
      await requireUnused(queries, group);
      await queries.deleteFrom("group_members").where("group_id", "=", id).execute();
      await queries.deleteFrom("groups").where("id", "=", id).execute();
    });
  }

  /** Its machines in the order of their ids. */
  async members(scope: TenantScope, id: string, page: Page): Promise<GroupMember[]> {
    await this.get(scope, id);
    return await this.#ground.database
      .selectFrom("group_members")
      .innerJoin("agents", "agents.id", "group_members.agent_id")
      .select(["agents.id", "agents.name"])
      .where("group_members.group_id", "=", id)
      .where("agents.id", ">", page.after ?? "")
      .orderBy("agents.id")
      .limit(page.limit)
      .execute();
  }

  /** Puts machines in by hand; harmless for those that are in. RESOURCE_STATE for a group that selects its machines. */
  async addMembers(
    actor: string,
    scope: TenantScope,
    id: string,
    agentIds: readonly string[],
  ): Promise<void> {
    const group = await this.#chosenByPeople(scope, id);
    const add = async (queries: Queries): Promise<void> => joinAll(queries, group, agentIds);
    await this.#change(actor, "group.add-members", group, add, { agentIds });
  }

  /** Takes machines out by hand; harmless for those that are not in. RESOURCE_STATE for a group that selects them. */
  async removeMembers(
    actor: string,
    scope: TenantScope,
    id: string,
    agentIds: readonly string[],
  ): Promise<void> {
    const group = await this.#chosenByPeople(scope, id);
    const remove = async (queries: Queries): Promise<void> => {
      await queries
        .deleteFrom("group_members")
        .where("group_id", "=", id)
        .where("agent_id", "in", agentIds)
        .execute();
    };
    await this.#change(actor, "group.remove-members", group, remove, { agentIds });
  }

  async #chosenByPeople(scope: TenantScope, id: string): Promise<Group> {
    const group = await this.get(scope, id);
    requireStatic(group);
    return group;
  }

  /** One change: it, its audit entry and the tenant's revision in one transaction, then a hint to those who wait. */
  async #change(
    actor: string,
    action: string,
    group: Group,
    work: (queries: Queries) => Promise<void>,
    details: Record<string, unknown> = { name: group.name, kind: group.selector.kind },
  ): Promise<void> {
    const { tenantId, id: target } = group;
    await this.#ground.database.transaction().execute(async (queries) => {
      await work(queries);
      await raiseTenantRevision(queries, tenantId);
      await this.#ground.audit.record(queries, { tenantId, actor, action, target, details });
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
  }
}

async function readGroup(queries: Queries, scope: TenantScope, id: string): Promise<Group> {
  let query = queries.selectFrom("groups").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return groupOf(knownRow("group", id, await query.executeTakeFirst()));
}

function requireStatic({ name, selector }: Group): void {
  if (selector.kind !== "static")
    throw new BackstayError("RESOURCE_STATE", { group: name, kind: selector.kind });
}

/** These machines and no others. */
async function setMembers(
  queries: Queries,
  group: Group,
  agentIds: readonly string[],
): Promise<void> {
  requireStatic(group);
  await queries.deleteFrom("group_members").where("group_id", "=", group.id).execute();
  await joinAll(queries, group, agentIds);
}

async function joinAll(queries: Queries, group: Group, agentIds: readonly string[]): Promise<void> {
  for (const agentId of agentIds) {
    const agent = await queries
      .selectFrom("agents")
      .select("id")
      .where("id", "=", agentId)
      .where("tenant_id", "=", group.tenantId)
      .executeTakeFirst();
    knownRow("agent", agentId, agent);
    await joinGroup(queries, group.id, agentId);
  }
}

async function requireFreeName(queries: Queries, group: Group): Promise<void> {
  const other = await queries
    .selectFrom("groups")
    .select("id")
    .where("tenant_id", "=", group.tenantId)
    .where("name", "=", group.name)
    .where("id", "!=", group.id)
    .executeTakeFirst();
  if (other !== undefined) throw new BackstayError("RESOURCE_EXISTS", { group: group.name });
}

async function requireUnused(queries: Queries, group: Group): Promise<void> {
  const policy = await queries
    .selectFrom("policy_assignments")
    .innerJoin("policies", "policies.id", "policy_assignments.policy_id")
    .select("policies.name")
    .where("policy_assignments.group_id", "=", group.id)
    .executeTakeFirst();
  if (policy !== undefined)
    throw new BackstayError("RESOURCE_IN_USE", { group: group.name, policy: policy.name });
  const token = await queries
    .selectFrom("enrolment_tokens")
    .select("name")
    .where("group_id", "=", group.id)
    .where("revoked_ms", "is", null)
    .executeTakeFirst();
  if (token !== undefined)
    throw new BackstayError("RESOURCE_IN_USE", { group: group.name, enrolmentToken: token.name });
}

function columnsOf({
  name,
  selector,
}: GroupSettings): Pick<Selectable<Tables["groups"]>, "name" | "kind" | "selector"> {
  const { kind, ...rest } = selector;
  return { name, kind, selector: JSON.stringify(rest) };
}

function groupOf(row: Selectable<Tables["groups"]>): Group {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    selector: selectorOf(row.kind, row.selector),
    createdMs: row.created_ms,
    version: row.version,
  };
}
