/** Accounts of machines at the gateway: who may come in, and what is agreed with them. One question to the database a request. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { GatewayStorage } from "../../protocol/control/repository-route.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import type { GatewayPlace } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";
import { storageOf } from "./gateway-storage.ts";

/** Bytes; null: without limit. */
export interface StorageLimits {
  readonly bytesMax: number | null;
  /** From here on people are told. */
  readonly bytesWarn: number | null;
}

export interface GatewayAccount {
  readonly place: GatewayPlace;
  /** What the repository's files are kept in; undefined: the folder. */
  readonly storage: GatewayStorage | undefined;
  readonly machine: StorageLimits;
  readonly tenant: StorageLimits;
  /** After that nothing is taken any more, ms since 1970; null: without end. */
  readonly leaseUntilMs: number | null;
}

export interface AccountRequest {
  readonly repositoryId: string;
  readonly agentId: string;
  /** The header as it came. */
  readonly authorization: string | undefined;
}

/** Of no password. */
const noHash = Buffer.alloc(32);

export class GatewayAccounts {
  readonly #database: ServerGround["database"];

  constructor({ database }: Pick<ServerGround, "database">) {
    this.#database = database;
  }

  /**
   * The account that a request names, if its password is right. Throws the Problem to answer with if not, or if the
   * machine is suspended or revoked: only who knows the password learns that.
   */
  async admit({ repositoryId, agentId, authorization }: AccountRequest): Promise<GatewayAccount> {
    const given = credentialsOf(authorization);
    if (given === undefined || given.user !== agentId) throw unknownAccount();
    const row = await this.#database
      .selectFrom("machine_repositories as mine")
      .innerJoin("agents as agent", "agent.id", "mine.agent_id")
      .innerJoin("tenants as tenant", "tenant.id", "mine.tenant_id")
      .innerJoin("repositories as repository", "repository.id", "mine.repository_id")
      .select([
        "mine.gateway_hash",
        "mine.tenant_id",
        "agent.status",
        "repository.routes",
        "repository.retiring",
        "tenant.lease_until_ms",
        "tenant.quotas as tenant_quotas",
        "repository.quotas as machine_quotas",
      ])
      .where("mine.agent_id", "=", agentId)
      .where("mine.repository_id", "=", repositoryId)
      .executeTakeFirst();
    const isRight = isHashOf(row?.gateway_hash, given.password);
    if (row === undefined || !isRight) throw unknownAccount();
    if (row.status === "suspended") throw refusal("gateway-suspended");
    if (row.status !== "active") throw refusal("gateway-revoked");
    return {
      place: { tenantId: row.tenant_id, repositoryId, agentId },
      storage: storageOf(row),
      machine: limitsOf(row.machine_quotas),
      tenant: limitsOf(row.tenant_quotas),
      leaseUntilMs: row.lease_until_ms,
    };
  }
}

/** The password has 256 bits of chance, so a fast hash is enough; compared in the same time whatever differs. */
function isHashOf(hash: string | undefined, password: string): boolean {
  const expected = hash === undefined ? noHash : Buffer.from(hash, "hex");
  const actual = createHash("sha256").update(password).digest();
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

/** Of an `authorization: Basic …`; undefined if it is none. */
function credentialsOf(
  header: string | undefined,
): { readonly user: string; readonly password: string } | undefined {
  const [, encoded] = /^Basic +([A-Za-z0-9+/=_-]{1,1000})$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return undefined;
  const [, user, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  return user === undefined || password === undefined ? undefined : { user, password };
}

function unknownAccount(): Error {
  return refusal("gateway-account", undefined, {
    "www-authenticate": 'Basic realm="backstay gateway", charset="UTF-8"',
  });
}

function limitsOf(json: string): StorageLimits {
  const { storedBytesMax, storedBytesWarn } = JSON.parse(json) as {
    storedBytesMax?: number;
    storedBytesWarn?: number;
  };
  return { bytesMax: storedBytesMax ?? null, bytesWarn: storedBytesWarn ?? null };
}
