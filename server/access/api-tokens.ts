/**
 * API tokens: `bks_<id>_<secret>`, of which the database holds a hash. A token has a role, for one tenant or for all;
 * whoever holds one can make others, of no more than its own.
 */
import { createHash, randomBytes, randomUUIDv7, timingSafeEqual } from "node:crypto";
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
import { type Role, roles } from "../http/route-access.ts";

/** Who asks, as an API token says. */
export interface Principal {
  /** `token:<id>`, for the audit log. */
  readonly actor: string;
  readonly role: Role;
  /** The one tenant that it may see; null: every one. */
  readonly scope: TenantScope;
}

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly tenantId: string | null;
  readonly role: Role;
  readonly createdMs: number;
  readonly expiresMs: number | null;
  readonly revokedMs: number | null;
  /** To the minute. */
  readonly lastUsedMs: number | null;
  readonly version: number;
}

export interface NewApiToken {
  readonly name: string;
  readonly tenantId: string | null;
  readonly role: Role;
  readonly expiresMs: number | null;
}

const secretBytes = 32;
const tokenForm = /^bks_([0-9a-f]{32})_([\w-]{43})$/;
/** So often at most it is noted that a token was used. */
const useNotedMs = 60_000;

/** True if `role` may do what needs `needed`. */
export function mayDo(role: Role, needed: Role): boolean {
  return roles.indexOf(role) >= roles.indexOf(needed);
}

export class ApiTokens {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /**
   * Makes a token; its text is told this once. RESOURCE_INVALID if it would give more than its maker has, or ends before
   * now; RESOURCE_UNKNOWN if the tenant is not there for the maker.
   */
  async create(
    maker: Principal,
    wanted: NewApiToken,
  ): Promise<{ readonly token: ApiToken; readonly text: string }> {
    const { scope, role } = maker;
    const isOthers = scope !== null && wanted.tenantId !== scope;
    if (isOthers && wanted.tenantId !== null)
      throw new BackstayError("RESOURCE_UNKNOWN", { tenant: wanted.tenantId });
    if (isOthers || !mayDo(role, wanted.role))
      throw new BackstayError("RESOURCE_INVALID", { reason: "it would give more than you have" });
    if (wanted.expiresMs !== null && wanted.expiresMs <= this.#ground.now())
      throw new BackstayError("RESOURCE_INVALID", { reason: "it would have ended already" });
    return await this.#ground.database.transaction().execute(async (queries) => {
      if (wanted.tenantId !== null) {
        const tenant = await queries
          .selectFrom("tenants")
          .select("id")
          .where("id", "=", wanted.tenantId)
          .executeTakeFirst();
        knownRow("tenant", wanted.tenantId, tenant);
      }
      return await this.make(queries, maker.actor, wanted);
    });
  }

  /** As `create`, in a transaction and without asking whether the maker may. */
  async make(
    queries: Queries,
    actor: string,
    { name, tenantId, role, expiresMs }: NewApiToken,
  ): Promise<{ readonly token: ApiToken; readonly text: string }> {
    const id = randomUUIDv7();
    const secret = randomBytes(secretBytes).toString("base64url");
    const row: Row = {
      id,
      name,
      tenant_id: tenantId,
      role,
      secret_hash: hashOf(secret),
      created_ms: this.#ground.now(),
      expires_ms: expiresMs,
      revoked_ms: null,
      last_used_ms: null,
      version: 1,
    };
    await queries.insertInto("api_tokens").values(row).execute();
    await this.#ground.audit.record(queries, {
      tenantId,
      actor,
      action: "api-token.create",
      target: id,
      details: { name, role },
    });
    return { token: tokenOf(row), text: `bks_${id.replaceAll("-", "")}_${secret}` };
  }

  async list(scope: TenantScope, page: Page): Promise<ApiToken[]> {
    const rows = await tenantRows(this.#ground.database, "api_tokens", scope, page).execute();
    return rows.map(tokenOf);
  }

  /** RESOURCE_UNKNOWN. */
  async get(scope: TenantScope, id: string): Promise<ApiToken> {
    return tokenOf(await this.#row(this.#ground.database, scope, id));
  }

  /** It counts no longer. RESOURCE_UNKNOWN, RESOURCE_CHANGED; revoking again changes nothing. */
  async revoke({ actor, scope }: Principal, id: string, version: number): Promise<ApiToken> {
    return await this.#ground.database.transaction().execute(async (queries) => {
      const row = await this.#row(queries, scope, id);
      requireVersion("token", row, version);
      if (row.revoked_ms !== null) return tokenOf(row);
      const changed = { revoked_ms: this.#ground.now(), version: version + 1 };
      const { numUpdatedRows } = await queries
        .updateTable("api_tokens")
        .set(changed)
        .where("id", "=", id)
        .where("version", "=", version)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new BackstayError("RESOURCE_CHANGED", { token: id });
      await this.#ground.audit.record(queries, {
        tenantId: row.tenant_id,
        actor,
        action: "api-token.revoke",
        target: id,
      });
      return tokenOf({ ...row, ...changed });
    });
  }

  /** Who holds the token of this text; undefined if nobody does, or it has ended. */
  async principalOf(text: string): Promise<Principal | undefined> {
    const [, hex, secret] = tokenForm.exec(text) ?? [];
    if (hex === undefined || secret === undefined) return undefined;
    const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    const { database, now } = this.#ground;
    const row = await database
      .selectFrom("api_tokens")
      .selectAll()
      .where("id", "=", id)
      .executeTakeFirst();
    if (row === undefined || !isSameHash(row.secret_hash, hashOf(secret))) return undefined;
    const nowMs = now();
    if (row.revoked_ms !== null || (row.expires_ms !== null && row.expires_ms <= nowMs))
      return undefined;
    if (row.last_used_ms === null || nowMs - row.last_used_ms >= useNotedMs)
      await database
        .updateTable("api_tokens")
        .set({ last_used_ms: nowMs })
        .where("id", "=", id)
        .execute();
    return { actor: `token:${id}`, role: row.role, scope: row.tenant_id };
  }

  async #row(queries: Queries, scope: TenantScope, id: string): Promise<Row> {
    let query = queries.selectFrom("api_tokens").selectAll().where("id", "=", id);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    return knownRow("token", id, await query.executeTakeFirst());
  }
}

type Row = Selectable<Tables["api_tokens"]>;

function tokenOf(row: Row): ApiToken {
  return {
    id: row.id,
    name: row.name,
    tenantId: row.tenant_id,
    role: row.role,
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
    lastUsedMs: row.last_used_ms,
    version: row.version,
  };
}

/** The secret has 256 random bits: nothing slower is needed. */
function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}

function isSameHash(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
