/**
 * What belongs to one machine in one repository: its account at the gateway and a password that the server makes for it.
 * Made once, and kept for as long as there are backups: a machine that is enrolled again finds its own.
 */
import { createHash, randomBytes } from "node:crypto";
import type { Insertable, Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import type { TenantScope } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { previousValues, withPrevious } from "./previous-values.ts";

/** Opened. */
export interface MachineRepository {
  readonly gatewayPassword: Buffer;
  readonly password: Buffer;
  /** Newest first. */
  readonly previousPasswords: readonly Buffer[];
}

export interface MachineInRepository {
  readonly tenantId: string;
  readonly agentId: string;
  readonly repositoryId: string;
}

type Row = Selectable<Tables["machine_repositories"]>;

const secretBytes = 32;

/** What a machine has in a repository; made now if it is its first time there. */
export async function machineRepository(
  queries: Queries,
  ground: Pick<ServerGround, "vault" | "now">,
  place: MachineInRepository,
): Promise<MachineRepository> {
  let row = await readRow(queries, place);
  if (row === undefined) {
    await queries
      .insertInto("machine_repositories")
      .values(newRow(ground, place))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    row = await readRow(queries, place);
  }
  if (row === undefined) throw new BackstayError("RESOURCE_UNKNOWN", { ...place });
  const open = (sealed: string, part: string): Buffer =>
    Buffer.from(ground.vault.open(sealed, contextOf(place, part)));
  return {
    gatewayPassword: open(row.gateway_sealed, "gateway"),
    password: open(row.password_sealed, "password"),
    previousPasswords: previousValues(row.previous_password_sealed).map((sealed) =>
      open(sealed, "password"),
    ),
  };
}

export class MachineRepositories {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /**
   * Makes a new automatic password; the machine changes its repository to it with its next run. RESOURCE_UNKNOWN for a
   * machine that has nothing in the repository.
   */
  async renewPassword(
    actor: string,
    scope: TenantScope,
    agentId: string,
    repositoryId: string,
  ): Promise<void> {
    const { vault, database, audit, wakeups } = this.#ground;
    const tenantId = await database.transaction().execute(async (queries) => {
      const row = await readRow(queries, { agentId, repositoryId });
      if (row === undefined || (scope !== null && row.tenant_id !== scope))
        throw new BackstayError("RESOURCE_UNKNOWN", { agent: agentId, repository: repositoryId });
      const place = { tenantId: row.tenant_id, agentId, repositoryId };
      await queries
        .updateTable("machine_repositories")
        .set({
          password_sealed: vault.seal(newSecret(), contextOf(place, "password")),
          previous_password_sealed: withPrevious(row.password_sealed, row.previous_password_sealed),
        })
        .where("agent_id", "=", agentId)
        .where("repository_id", "=", repositoryId)
        .execute();
      await raiseTenantRevision(queries, row.tenant_id);
      await audit.record(queries, {
        tenantId: row.tenant_id,
        actor,
        action: "repository.renew-password",
        target: repositoryId,
        details: { agentId },
      });
      return row.tenant_id;
    });
    await wakeups.publish(`tenant:${tenantId}`);
  }
}

async function readRow(
  queries: Queries,
  { agentId, repositoryId }: Pick<MachineInRepository, "agentId" | "repositoryId">,
): Promise<Row | undefined> {
  return await queries
    .selectFrom("machine_repositories")
    .selectAll()
    .where("agent_id", "=", agentId)
    .where("repository_id", "=", repositoryId)
    .executeTakeFirst();
}

function newRow(
  { vault, now }: Pick<ServerGround, "vault" | "now">,
  place: MachineInRepository,
): Insertable<Tables["machine_repositories"]> {
  const gateway = firstSecret(vault, place, "gateway");
  return {
    agent_id: place.agentId,
    repository_id: place.repositoryId,
    tenant_id: place.tenantId,
    gateway_hash: createHash("sha256").update(gateway).digest("hex"),
    gateway_sealed: vault.seal(gateway, contextOf(place, "gateway")),
    password_sealed: vault.seal(
      firstSecret(vault, place, "password"),
      contextOf(place, "password"),
    ),
    previous_password_sealed: null,
    stored_bytes: 0,
    stored_objects: 0,
    obeyed_epoch: null,
    obeyed_stand: null,
    created_ms: now(),
  };
}

/**
 * Follows from the master key: a server whose database was set back to before it was made makes the same again, so that
 * what the machine has stored by then can still be opened.
 */
function firstSecret(
  { derive }: Pick<ServerGround["vault"], "derive">,
  place: MachineInRepository,
  part: string,
): Buffer {
  return Buffer.from(Buffer.from(derive(contextOf(place, part))).toString("base64url"));
}

/** As text: it is typed into HTTP headers and password files. */
function newSecret(): Buffer {
  return Buffer.from(randomBytes(secretBytes).toString("base64url"));
}

function contextOf({ agentId, repositoryId }: MachineInRepository, part: string): string {
  return `machine-repository:${agentId}:${repositoryId}:${part}`;
}
