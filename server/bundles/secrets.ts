/** Secrets of a tenant by name: written by people, read by nobody but the machines they are sealed to. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { secretBytesMax } from "../../protocol/control/sealed-secret.ts";
import { policyName } from "../../protocol/policy/scalars.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type Page, type TenantScope, tenantRows } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { secretContext } from "../ground/tenant-secret.ts";
import { withPrevious } from "./previous-values.ts";
import { secretUse } from "./secret-use.ts";

/** What is shown of a secret. Its value never is. */
export interface SecretInfo {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  /** True if machines still get values of before, to open repositories whose password they were. */
  readonly hasPrevious: boolean;
  readonly createdMs: number;
  readonly version: number;
}

/** Stands in policies for a password that the server makes for each machine and repository. */
export const automaticSecret = "automatic";

type SecretRow = Selectable<Tables["secrets"]>;

export class Secrets {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined } = {},
  ): Promise<SecretInfo[]> {
    const rows = await tenantRows(this.#ground.database, "secrets", scope, page, {
      name: filter.name,
    }).execute();
    return rows.map(infoOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<SecretInfo> {
    return infoOf(await readSecret(this.#ground.database, scope, id));
  }

  /**
   * Keeps a value of 1 byte to 64 KiB under a name of the tenant. Another value than before keeps that one as a
   * previous one, the same changes nothing. RESOURCE_INVALID for names that no policy could use, or that are reserved.
   */
  async put(actor: string, tenantId: string, name: string, value: Uint8Array): Promise<SecretInfo> {
    requireUsable(name, value);
    const { vault } = this.#ground;
    const context = secretContext(tenantId, name);
    const id = await this.#ground.database.transaction().execute(async (queries) => {
      const before = await queries
        .selectFrom("secrets")
        .selectAll()
        .where("tenant_id", "=", tenantId)
        .where("name", "=", name)
        .executeTakeFirst();
      if (before !== undefined && Buffer.from(vault.open(before.sealed, context)).equals(value))
        return before.id;
      const sealed = vault.seal(value, context);
      const row: SecretRow = {
        id: before?.id ?? randomUUIDv7(),
        tenant_id: tenantId,
        name,
        sealed,
        previous_sealed:
          before === undefined ? null : withPrevious(before.sealed, before.previous_sealed),
        created_ms: before?.created_ms ?? this.#ground.now(),
        version: (before?.version ?? 0) + 1,
      };
      if (before === undefined) await queries.insertInto("secrets").values(row).execute();
      else await queries.updateTable("secrets").set(row).where("id", "=", before.id).execute();
      await raiseTenantRevision(queries, tenantId);
      const action = before === undefined ? "secret.create" : "secret.change";
      await this.#record(queries, { tenantId, actor, action, target: row.id, name });
      return row.id;
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
    return await this.get(tenantId, id);
  }

  /** RESOURCE_IN_USE while a policy or a repository names it. */
  async remove(actor: string, scope: TenantScope, id: string): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const { name, tenant_id: tenantId } = await readSecret(queries, scope, id);
      const user = await secretUse(queries, tenantId, name);
      if (user !== undefined) throw new BackstayError("RESOURCE_IN_USE", { secret: name, ...user });
      await queries.deleteFrom("secrets").where("id", "=", id).execute();
      await this.#record(queries, { tenantId, actor, action: "secret.remove", target: id, name });
    });
  }

  async #record(
    queries: Queries,
    entry: { tenantId: string; actor: string; action: string; target: string; name: string },
  ): Promise<void> {
    const { name, ...rest } = entry;
    await this.#ground.audit.record(queries, { ...rest, details: { name } });
  }
}

function requireUsable(name: string, value: Uint8Array): void {
  const isReserved = name === automaticSecret || name.startsWith(`${automaticSecret}-`);
  if (!policyName.safeParse(name).success || isReserved)
    throw new BackstayError("RESOURCE_INVALID", { field: "name", secret: name });
  if (value.length === 0 || value.length > secretBytesMax)
    throw new BackstayError("RESOURCE_INVALID", { field: "value", bytes: value.length });
}

async function readSecret(queries: Queries, scope: TenantScope, id: string): Promise<SecretRow> {
  let query = queries.selectFrom("secrets").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return knownRow("secret", id, await query.executeTakeFirst());
}

function infoOf(row: SecretRow): SecretInfo {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    hasPrevious: row.previous_sealed !== null,
    createdMs: row.created_ms,
    version: row.version,
  };
}
