/** Tenants, machines and policies as rows, for tests of rooms that only need them to be there. */
import { randomUUIDv7 } from "node:crypto";
import type { Insertable } from "kysely";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import type { Tables } from "../../server/database/tables.ts";
import type { ServerGround } from "../../server/ground/server-ground.ts";

/** What rows are made with. */
export type RowGround = Pick<ServerGround, "database" | "now">;

type TenantRow = Insertable<Tables["tenants"]>;
type MachineRow = Insertable<Tables["agents"]>;

/** Id of a new tenant. */
export async function addTenant(
  { database, now }: RowGround,
  given: Partial<TenantRow> = {},
): Promise<string> {
  const id = given.id ?? randomUUIDv7();
  await database
    .insertInto("tenants")
    .values({
      id,
      name: `tenant ${id}`,
      quotas: "{}",
      lease_until_ms: null,
      recovery_key: null,
      revision: 1,
      created_ms: now(),
      version: 1,
      ...given,
    })
    .execute();
  return id;
}

/** An enrolled machine that was never heard of. */
export function machineRow(
  nowMs: number,
  tenantId: string,
  given: Partial<MachineRow> = {},
): MachineRow {
  const id = given.id ?? randomUUIDv7();
  return {
    id,
    tenant_id: tenantId,
    name: `machine ${id}`,
    kind: "workstation",
    labels: "{}",
    status: "active",
    identity_key: id,
    sealing_key: id,
    installation_id: id,
    fingerprint: "{}",
    enrolled_ms: nowMs,
    generation: 1,
    created_ms: nowMs,
    version: 1,
    ...given,
  };
}

/** Id of a new machine that was never heard of. */
export async function addMachine(
  { database, now }: RowGround,
  tenantId: string,
  given: Partial<MachineRow> = {},
): Promise<string> {
  const row = machineRow(now(), tenantId, given);
  await database.insertInto("agents").values(row).execute();
  return row.id;
}

/** Id of a new machine that was heard of just now; `status`: what it said of itself. */
export async function addHeardMachine(
  ground: RowGround,
  tenantId: string,
  given: Partial<MachineRow> = {},
  status?: object,
): Promise<string> {
  const id = await addMachine(ground, tenantId, given);
  await ground.database
    .insertInto("agent_live")
    .values({
      agent_id: id,
      last_seen_ms: ground.now(),
      run_id: "run",
      address: "192.0.2.1",
      status: status === undefined ? null : JSON.stringify(status),
      status_ms: status === undefined ? null : ground.now(),
      accepted_serial: null,
      health: "ok",
      version: "1.0.0",
    })
    .execute();
  return id;
}

/** Id of a new policy that the server manages, given to those machines. */
export async function addServerPolicy(
  { database, now }: RowGround,
  tenantId: string,
  document: PolicyDocument,
  machines: readonly string[],
): Promise<string> {
  const id = randomUUIDv7();
  await database
    .insertInto("policies")
    .values({
      id,
      tenant_id: tenantId,
      name: document.name,
      document: JSON.stringify(document),
      managed_by: "server",
      server_schedule: "{}",
      policy_version: 1,
      rollout: null,
      previous_document: null,
      previous_version: null,
      created_ms: now(),
      version: 1,
    })
    .execute();
  for (const agentId of machines)
    await database
      .insertInto("policy_assignments")
      .values({ policy_id: id, group_id: null, agent_id: agentId, tenant_id: tenantId })
      .execute();
  return id;
}
