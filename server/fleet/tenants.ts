/** Tenants: who owns machines, repositories and policies, and how much of them there may be. */
import { randomUUIDv7 } from "node:crypto";
import type { Insertable, Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";

/** Absent: without limit. */
export interface TenantQuotas {
  readonly agentsMax?: number | undefined;
  readonly storedBytesMax?: number | undefined;
  readonly storedBytesWarn?: number | undefined;
}

/** What people decide about a tenant. */
export interface TenantSettings {
  readonly name: string;
  readonly quotas: TenantQuotas;
  /** After that nothing is taken from its machines any more; null: without end. Ms since 1970. */
  readonly leaseUntilMs: number | null;
  /** Public X25519 key to which machines seal recovery passwords; null: no escrow. */
  readonly recoveryKey: { readonly id: string; readonly key: string } | null;
}

export interface Tenant extends TenantSettings {
  readonly id: string;
  readonly createdMs: number;
  readonly version: number;
}

export class Tenants {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined } = {},
  ): Promise<Tenant[]> {
    let query = this.#ground.database.selectFrom("tenants").selectAll();
    if (scope !== null) query = query.where("id", "=", scope);
    if (filter.name !== undefined) query = query.where("name", "=", filter.name);
    if (page.after !== null) query = query.where("id", ">", page.after);
    const rows = await query.orderBy("id").limit(page.limit).execute();
    return rows.map(tenantOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<Tenant> {
    return await readTenant(this.#ground.database, scope, id);
  }

  /** RESOURCE_EXISTS if the name is taken. */
  async create(actor: string, settings: TenantSettings): Promise<Tenant> {
    const now = this.#ground.now();
    const row: Insertable<Tables["tenants"]> = {
      id: randomUUIDv7(),
      ...columnsOf(settings),
      revision: 1,
      created_ms: now,
      version: 1,
    };
    await this.#ground.database.transaction().execute(async (queries) => {
      await requireFreeName(queries, settings.name, row.id);
      await queries.insertInto("tenants").values(row).execute();
      await this.#record(queries, actor, "tenant.create", row.id, { name: settings.name });
    });
    return await this.get(null, row.id);
  }

  /** RESOURCE_CHANGED if it is no longer at that version, RESOURCE_EXISTS if the new name is taken. */
  async replace(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    settings: TenantSettings,
  ): Promise<Tenant> {
    await this.#ground.database.transaction().execute(async (queries) => {
      requireVersion("tenant", await readTenant(queries, scope, id), version);
      await requireFreeName(queries, settings.name, id);
      const { numUpdatedRows } = await queries
        .updateTable("tenants")
        .set((row) => ({
          ...columnsOf(settings),
          revision: row("revision", "+", 1),
          version: version + 1,
        }))
        .where("id", "=", id)
        .where("version", "=", version)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) throw new BackstayError("RESOURCE_CHANGED", { tenant: id });
      await this.#record(queries, actor, "tenant.update", id, {
        name: settings.name,
        quotas: settings.quotas,
        leaseUntilMs: settings.leaseUntilMs,
        recoveryKeyId: settings.recoveryKey?.id ?? null,
      });
    });
    await this.#ground.wakeups.publish(`tenant:${id}`);
    return await this.get(scope, id);
  }

  /** RESOURCE_IN_USE while it has machines or repositories: what is stored must stay reachable. */
  async remove(actor: string, scope: TenantScope, id: string, version: number): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const tenant = await readTenant(queries, scope, id);
      requireVersion("tenant", tenant, version);
      for (const table of ["agents", "repositories"] as const) {
        const used = await queries
          .selectFrom(table)
          .select("name")
          .where("tenant_id", "=", id)
          .executeTakeFirst();
        if (used !== undefined)
          throw new BackstayError("RESOURCE_IN_USE", { tenant: tenant.name, [table]: used.name });
      }
      for (const table of [
        "policies",
        "secrets",
        "enrolment_tokens",
        "enrolment_requests",
      ] as const)
        await queries.deleteFrom(table).where("tenant_id", "=", id).execute();
      await queries.deleteFrom("groups").where("tenant_id", "=", id).execute();
      await queries.deleteFrom("tenants").where("id", "=", id).execute();
      await this.#record(queries, actor, "tenant.remove", id, { name: tenant.name });
    });
  }

  async #record(
    queries: Queries,
    actor: string,
    action: string,
    id: string,
    details: Record<string, unknown>,
  ): Promise<void> {
    await this.#ground.audit.record(queries, { tenantId: id, actor, action, target: id, details });
  }
}

async function readTenant(queries: Queries, scope: TenantScope, id: string): Promise<Tenant> {
  const row = await queries
    .selectFrom("tenants")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirst();
  return tenantOf(knownRow("tenant", id, scope === null || scope === id ? row : undefined));
}

async function requireFreeName(queries: Queries, name: string, id: string): Promise<void> {
  const other = await queries
    .selectFrom("tenants")
    .select("id")
    .where("name", "=", name)
    .where("id", "!=", id)
    .executeTakeFirst();
  if (other !== undefined) throw new BackstayError("RESOURCE_EXISTS", { tenant: name });
}

function columnsOf(
  settings: TenantSettings,
): Pick<Insertable<Tables["tenants"]>, "name" | "quotas" | "lease_until_ms" | "recovery_key"> {
  return {
    name: settings.name,
    quotas: JSON.stringify(settings.quotas),
    lease_until_ms: settings.leaseUntilMs,
    recovery_key: settings.recoveryKey === null ? null : JSON.stringify(settings.recoveryKey),
  };
}

function tenantOf(row: Selectable<Tables["tenants"]>): Tenant {
  return {
    id: row.id,
    name: row.name,
    quotas: JSON.parse(row.quotas) as TenantQuotas,
    leaseUntilMs: row.lease_until_ms,
    recoveryKey:
      row.recovery_key === null
        ? null
        : (JSON.parse(row.recovery_key) as { id: string; key: string }),
    createdMs: row.created_ms,
    version: row.version,
  };
}
