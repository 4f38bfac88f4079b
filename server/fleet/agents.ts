/** The machines of the fleet as people see and change them: lists with filters, labels, suspension, revocation, removal. */
import { type Selectable, sql } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { placeInGroups } from "./group-members.ts";

export type AgentStatusName = Tables["agents"]["status"];

/** What was heard of a machine last. */
export interface AgentLive {
  readonly lastSeenMs: number;
  readonly address: string;
  readonly health: string;
  readonly agentVersion: string;
  readonly acceptedSerial: number | null;
  readonly statusMs: number | null;
}

export interface Agent {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly kind: "workstation" | "server";
  readonly labels: Readonly<Record<string, string>>;
  readonly status: AgentStatusName;
  readonly enrolledMs: number;
  /** Rises with each enrolment of the same machine. */
  readonly generation: number;
  readonly createdMs: number;
  readonly version: number;
  /** Null: it was enrolled and has not been heard of since. */
  readonly live: AgentLive | null;
  /** True if the last good backup of a policy is older than that policy wants. */
  readonly overdue: boolean;
}

/** All that is given must hold. */
export interface AgentFilter {
  readonly name?: string | undefined;
  readonly groupId?: string | undefined;
  /** Labels with their values; `*` stands for any. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly health?: string | undefined;
  readonly status?: AgentStatusName | undefined;
  readonly overdue?: boolean | undefined;
  /** Not heard of since, ms since 1970. */
  readonly silentSinceMs?: number | undefined;
}

export class Agents {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(scope: TenantScope, page: Page, filter: AgentFilter = {}): Promise<Agent[]> {
    const labels = Object.entries(filter.labels ?? {});
    const found: Agent[] = [];
    for (let after = page.after; found.length < page.limit; ) {
      let query = filteredAgents(this.#ground, scope, filter);
      if (after !== null) query = query.where("agents.id", ">", after);
      const rows = await query.orderBy("agents.id").limit(page.limit).execute();
      const agents = rows.map((row) => agentOf(row));
      found.push(
        ...agents.filter((agent) =>
          labels.every(
            ([label, value]) =>
              Object.hasOwn(agent.labels, label) &&
              (value === "*" || agent.labels[label] === value),
          ),
        ),
      );
      const last = rows.at(-1);
      if (last === undefined || rows.length < page.limit) break;
      after = last.id;
    }
    return found.slice(0, page.limit);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<Agent> {
    const row = await filteredAgents(this.#ground, scope, {})
      .where("agents.id", "=", id)
      .executeTakeFirst();
    return agentOf(knownRow("agent", id, row));
  }

  /** The AgentStatus that it sent last, as it came; null before the first. */
  async lastStatus(scope: TenantScope, id: string): Promise<unknown> {
    await this.get(scope, id);
    const row = await this.#ground.database
      .selectFrom("agent_live")
      .select("status")
      .where("agent_id", "=", id)
      .executeTakeFirst();
    return typeof row?.status === "string" ? (JSON.parse(row.status) as unknown) : null;
  }

  /** Replaces all labels; the machine's groups follow. RESOURCE_CHANGED if it is no longer at that version. */
  async setLabels(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    labels: Readonly<Record<string, string>>,
  ): Promise<Agent> {
    await this.#change(actor, "agent.label", scope, id, { labels }, async (queries, row) => {
      requireVersion("agent", row, version);
      await update(queries, row, { labels: JSON.stringify(labels) });
      await placeInGroups(queries, id);
    });
    return await this.get(scope, id);
  }

  /**
   * Suspended: the machine keeps its identity and what it does, but the server takes nothing from it. Revoked is final:
   * only a new enrolment makes it a member again. RESOURCE_STATE for one that is revoked.
   */
  async setStatus(
    actor: string,
    scope: TenantScope,
    id: string,
    status: AgentStatusName,
  ): Promise<Agent> {
    const action = { active: "resume", suspended: "suspend", revoked: "revoke" }[status];
    await this.#change(actor, `agent.${action}`, scope, id, {}, async (queries, row) => {
      if (row.status === status) return;
      if (row.status === "revoked")
        throw new BackstayError("RESOURCE_STATE", { agent: row.name, status: row.status });
      await update(queries, row, { status });
    });
    await this.#ground.wakeups.publish(`agent:${id}`);
    return await this.get(scope, id);
  }

  /** Forgets the machine. Its backups, their passwords, its reports and escrow stay. */
  async remove(actor: string, scope: TenantScope, id: string, version: number): Promise<void> {
    await this.#change(actor, "agent.remove", scope, id, {}, async (queries, row) => {
      requireVersion("agent", row, version);
      await queries.deleteFrom("agents").where("id", "=", id).execute();
    });
  }

  /** One change of one machine: with its audit entry and the tenant's revision in one transaction. */
  async #change(
    actor: string,
    action: string,
    scope: TenantScope,
    id: string,
    details: Record<string, unknown>,
    work: (queries: Queries, row: Selectable<Tables["agents"]>) => Promise<void>,
  ): Promise<void> {
    const tenantId = await this.#ground.database.transaction().execute(async (queries) => {
      let query = queries.selectFrom("agents").selectAll().where("id", "=", id);
      if (scope !== null) query = query.where("tenant_id", "=", scope);
      const row = knownRow("agent", id, await query.executeTakeFirst());
      await work(queries, row);
      await raiseTenantRevision(queries, row.tenant_id);
      await this.#ground.audit.record(queries, {
        tenantId: row.tenant_id,
        actor,
        action,
        target: id,
        details: { name: row.name, ...details },
      });
      return row.tenant_id;
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
  }
}

/** Agents that match all but the labels, which are JSON that each database would search in its own way. */
function filteredAgents({ database }: ServerGround, scope: TenantScope, filter: AgentFilter) {
  const overdue = sql<number>`EXISTS (SELECT 1 FROM protection WHERE protection.agent_id = agents.id
    AND protection.overdue_since_ms IS NOT NULL)`;
  let query = database
    .selectFrom("agents")
    .leftJoin("agent_live", "agent_live.agent_id", "agents.id")
    .selectAll("agents")
    .select([
      "agent_live.last_seen_ms",
      "agent_live.address",
      "agent_live.health",
      "agent_live.version as agent_version",
      "agent_live.accepted_serial",
      "agent_live.status_ms",
      overdue.as("overdue"),
    ]);
  if (scope !== null) query = query.where("agents.tenant_id", "=", scope);
  if (filter.name !== undefined) query = query.where("agents.name", "=", filter.name);
  if (filter.status !== undefined) query = query.where("agents.status", "=", filter.status);
  if (filter.health !== undefined) query = query.where("agent_live.health", "=", filter.health);
  if (filter.overdue === true) query = query.where(sql<boolean>`${overdue}`);
  if (filter.overdue === false) query = query.where(sql<boolean>`NOT ${overdue}`);
  if (filter.groupId !== undefined) {
    const members = database
      .selectFrom("group_members")
      .select("agent_id")
      .where("group_id", "=", filter.groupId);
    query = query.where("agents.id", "in", members);
  }
  const { silentSinceMs } = filter;
  if (silentSinceMs !== undefined)
    query = query.where(
      sql<boolean>`COALESCE(agent_live.last_seen_ms, agents.enrolled_ms) < ${silentSinceMs}`,
    );
  return query;
}

type AgentRow = Awaited<ReturnType<ReturnType<typeof filteredAgents>["execute"]>>[number];

async function update(
  queries: Queries,
  row: Selectable<Tables["agents"]>,
  values: { labels?: string; status?: AgentStatusName },
): Promise<void> {
  const { numUpdatedRows } = await queries
    .updateTable("agents")
    .set({ ...values, version: row.version + 1 })
    .where("id", "=", row.id)
    .where("version", "=", row.version)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new BackstayError("RESOURCE_CHANGED", { agent: row.id });
}

function agentOf(row: AgentRow): Agent {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    kind: row.kind,
    labels: JSON.parse(row.labels) as Record<string, string>,
    status: row.status,
    enrolledMs: row.enrolled_ms,
    generation: row.generation,
    createdMs: row.created_ms,
    version: row.version,
    live:
      row.last_seen_ms === null
        ? null
        : {
            lastSeenMs: row.last_seen_ms,
            address: row.address ?? "",
            health: row.health ?? "",
            agentVersion: row.agent_version ?? "",
            acceptedSerial: row.accepted_serial,
            statusMs: row.status_ms,
          },
    overdue: Boolean(row.overdue),
  };
}
