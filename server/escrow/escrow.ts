/**
 * Recovery passwords that machines have sealed to their tenant's recovery key. The server keeps and hands them out; it
 * cannot read them. Nothing here is ever overwritten or removed: a machine in wrong hands must not spoil what it gave.
 */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import type { EscrowDeposit } from "../../protocol/control/reports.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type Page, type TenantScope, tenantRows } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";

export interface EscrowEntry {
  readonly id: string;
  readonly tenantId: string;
  readonly agentId: string;
  readonly repositoryId: string;
  readonly recoveryKeyId: string;
  /** Name of the key file in the repository that it opens. */
  readonly keyName: string;
  readonly createdMs: number;
}

export interface EscrowFilter {
  readonly agentId?: string | undefined;
  readonly repositoryId?: string | undefined;
}

type EscrowRow = Selectable<Tables["escrow"]>;

/** Of one machine and repository: far more than passwords are ever changed. */
const depositsMax = 200;

export class Escrow {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /**
   * Keeps what a machine has sealed. Repeating it is harmless; of another value for the same key file the first counts.
   * Refuses (agentRefusal) `not-found` for a repository that the machine has nothing in, `quota-exceeded` beyond reason.
   */
  async deposit(
    agent: { readonly id: string; readonly tenantId: string },
    given: EscrowDeposit,
  ): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      await requireOwn(queries, agent.id, given.repositoryId);
      const row: EscrowRow = {
        id: randomUUIDv7(),
        tenant_id: agent.tenantId,
        agent_id: agent.id,
        repository_id: given.repositoryId,
        recovery_key_id: given.recoveryKeyId,
        key_name: given.keyName,
        sealed: given.sealed,
        created_ms: this.#ground.now(),
      };
      const { numInsertedOrUpdatedRows } = await queries
        .insertInto("escrow")
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (numInsertedOrUpdatedRows !== 1n) return;
      await this.#ground.audit.record(queries, {
        tenantId: agent.tenantId,
        actor: `agent:${agent.id}`,
        action: "escrow.deposit",
        target: row.id,
        details: { repositoryId: given.repositoryId, recoveryKeyId: given.recoveryKeyId },
      });
    });
  }

  async list(scope: TenantScope, page: Page, filter: EscrowFilter = {}): Promise<EscrowEntry[]> {
    const rows = await tenantRows(this.#ground.database, "escrow", scope, page, {
      agent_id: filter.agentId,
      repository_id: filter.repositoryId,
    }).execute();
    return rows.map(entryOf);
  }

  /** Hands out the sealed password (a compact JWE) and notes who took it. RESOURCE_UNKNOWN. */
  async release(
    actor: string,
    scope: TenantScope,
    id: string,
  ): Promise<EscrowEntry & { readonly sealed: string }> {
    return await this.#ground.database.transaction().execute(async (queries) => {
      let query = queries.selectFrom("escrow").selectAll().where("id", "=", id);
      if (scope !== null) query = query.where("tenant_id", "=", scope);
      const row = knownRow("escrow", id, await query.executeTakeFirst());
      await this.#ground.audit.record(queries, {
        tenantId: row.tenant_id,
        actor,
        action: "escrow.release",
        target: id,
        details: { agentId: row.agent_id, repositoryId: row.repository_id },
      });
      return { ...entryOf(row), sealed: row.sealed };
    });
  }
}

async function requireOwn(queries: Queries, agentId: string, repositoryId: string): Promise<void> {
  const own = await queries
    .selectFrom("machine_repositories")
    .select("agent_id")
    .where("agent_id", "=", agentId)
    .where("repository_id", "=", repositoryId)
    .executeTakeFirst();
  if (own === undefined) throw agentRefusal("not-found", `repository ${repositoryId}`);
  const { count } = await queries
    .selectFrom("escrow")
    .select((row) => row.fn.countAll().as("count"))
    .where("agent_id", "=", agentId)
    .where("repository_id", "=", repositoryId)
    .executeTakeFirstOrThrow();
  if (Number(count) >= depositsMax)
    throw agentRefusal("quota-exceeded", `${depositsMax} recovery passwords of one repository`);
}

function entryOf(row: EscrowRow): EscrowEntry {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    agentId: row.agent_id,
    repositoryId: row.repository_id,
    recoveryKeyId: row.recovery_key_id,
    keyName: row.key_name,
    createdMs: row.created_ms,
  };
}
