/** Enrolment tokens: what an administrator gives to machines so that they may join. The server keeps the public half only. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { newPrivateKey, rawPrivateKey, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { encodeEnrolmentToken } from "../../protocol/control/enrolment-token.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type Page, type TenantScope, tenantRows } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { isNetworkBlock } from "./network-blocks.ts";

export interface EnrolmentTokenSettings {
  readonly name: string;
  /** Machines that may join by it, from 1; one that was denied counts. */
  readonly usesMax: number;
  /** Ms since 1970. */
  readonly expiresMs: number;
  /** A group whose members people choose; null: none. */
  readonly groupId: string | null;
  /** What each machine is labelled with. */
  readonly labels: Readonly<Record<string, string>>;
  /** CIDR blocks that machines must come from; empty: anywhere. */
  readonly networks: readonly string[];
  readonly needsApproval: boolean;
  /** A voucher: the machine that is to take its place again, with history and repository; null: new machines. */
  readonly agentId: string | null;
}

export interface EnrolmentTokenInfo extends EnrolmentTokenSettings {
  readonly id: string;
  readonly tenantId: string;
  readonly uses: number;
  readonly revokedMs: number | null;
  readonly createdMs: number;
  readonly version: number;
}

export class EnrolmentTokens {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined } = {},
  ): Promise<EnrolmentTokenInfo[]> {
    const rows = await tenantRows(this.#ground.database, "enrolment_tokens", scope, page, {
      name: filter.name,
    }).execute();
    return rows.map(tokenOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<EnrolmentTokenInfo> {
    return await readToken(this.#ground.database, scope, id);
  }

  /**
   * Makes one. `token` is what machines are given, and is told this once. RESOURCE_EXISTS (the name), RESOURCE_UNKNOWN
   * (group, machine), RESOURCE_INVALID (uses, end, networks), RESOURCE_STATE (a group that selects its machines).
   */
  async create(
    actor: string,
    tenantId: string,
    settings: EnrolmentTokenSettings,
  ): Promise<{ readonly info: EnrolmentTokenInfo; readonly token: string }> {
    const { now, settings: server } = this.#ground;
    requireUsable(settings, now());
    const key = newPrivateKey("ed25519");
    const id = randomUUIDv7();
    await this.#ground.database.transaction().execute(async (queries) => {
      await requireFreeName(queries, tenantId, settings.name);
      await requireGroup(queries, tenantId, settings.groupId);
      await requireAgent(queries, tenantId, settings.agentId);
      await queries
        .insertInto("enrolment_tokens")
        .values({
          id,
          tenant_id: tenantId,
          name: settings.name,
          public_key: rawPublicKey(key),
          group_id: settings.groupId,
          labels: JSON.stringify(settings.labels),
          uses_max: settings.usesMax,
          uses: 0,
          expires_ms: settings.expiresMs,
          networks: JSON.stringify(settings.networks),
          needs_approval: settings.needsApproval ? 1 : 0,
          agent_id: settings.agentId,
          revoked_ms: null,
          created_ms: now(),
          version: 1,
        })
        .execute();
      const { name, usesMax, expiresMs, networks, needsApproval, agentId, groupId } = settings;
      await this.#ground.audit.record(queries, {
        tenantId,
        actor,
        action: "enrolment-token.create",
        target: id,
        details: { name, usesMax, expiresMs, networks, needsApproval, agentId, groupId },
      });
    });
    const token = encodeEnrolmentToken({
      u: [...server.publicUrls],
      p: [...server.pins],
      i: id,
      s: rawPrivateKey(key),
      x: Math.floor(settings.expiresMs / 1000),
    });
    return { info: await this.get(tenantId, id), token };
  }

  /** No machine joins by it any more; those that have stay. Harmless if it was revoked before. */
  async revoke(actor: string, scope: TenantScope, id: string): Promise<EnrolmentTokenInfo> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const token = await readToken(queries, scope, id);
      if (token.revokedMs !== null) return;
      await queries
        .updateTable("enrolment_tokens")
        .set((row) => ({ revoked_ms: this.#ground.now(), version: row("version", "+", 1) }))
        .where("id", "=", id)
        .execute();
      const { tenantId, name } = token;
      const action = "enrolment-token.revoke";
      await this.#ground.audit.record(queries, {
        tenantId,
        actor,
        action,
        target: id,
        details: { name },
      });
    });
    return await this.get(scope, id);
  }
}

function requireUsable(
  { usesMax, expiresMs, networks }: EnrolmentTokenSettings,
  nowMs: number,
): void {
  if (!Number.isSafeInteger(usesMax) || usesMax < 1)
    throw new BackstayError("RESOURCE_INVALID", { usesMax, problem: "from 1" });
  if (!(expiresMs > nowMs))
    throw new BackstayError("RESOURCE_INVALID", { expiresMs, problem: "it is over already" });
  const wrong = networks.find((block) => !isNetworkBlock(block));
  if (wrong !== undefined)
    throw new BackstayError("RESOURCE_INVALID", { networks: wrong, problem: "no CIDR block" });
}

async function requireFreeName(queries: Queries, tenantId: string, name: string): Promise<void> {
  const other = await queries
    .selectFrom("enrolment_tokens")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .where("name", "=", name)
    .executeTakeFirst();
  if (other !== undefined) throw new BackstayError("RESOURCE_EXISTS", { enrolmentToken: name });
}

async function requireGroup(
  queries: Queries,
  tenantId: string,
  groupId: string | null,
): Promise<void> {
  if (groupId === null) return;
  const row = await queries
    .selectFrom("groups")
    .select(["name", "kind"])
    .where("id", "=", groupId)
    .where("tenant_id", "=", tenantId)
    .executeTakeFirst();
  const group = knownRow("group", groupId, row);
  if (group.kind !== "static")
    throw new BackstayError("RESOURCE_STATE", { group: group.name, kind: group.kind });
}

async function requireAgent(
  queries: Queries,
  tenantId: string,
  agentId: string | null,
): Promise<void> {
  if (agentId === null) return;
  const row = await queries
    .selectFrom("agents")
    .select("id")
    .where("id", "=", agentId)
    .where("tenant_id", "=", tenantId)
    .executeTakeFirst();
  knownRow("agent", agentId, row);
}

async function readToken(
  queries: Queries,
  scope: TenantScope,
  id: string,
): Promise<EnrolmentTokenInfo> {
  let query = queries.selectFrom("enrolment_tokens").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return tokenOf(knownRow("enrolmentToken", id, await query.executeTakeFirst()));
}

export function tokenOf(row: Selectable<Tables["enrolment_tokens"]>): EnrolmentTokenInfo {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    usesMax: row.uses_max,
    uses: row.uses,
    expiresMs: row.expires_ms,
    groupId: row.group_id,
    labels: JSON.parse(row.labels) as Record<string, string>,
    networks: JSON.parse(row.networks) as string[],
    needsApproval: row.needs_approval === 1,
    agentId: row.agent_id,
    revokedMs: row.revoked_ms,
    createdMs: row.created_ms,
    version: row.version,
  };
}
