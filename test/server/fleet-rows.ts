/** Tenants, machines and policies as rows, for tests of rooms that only need them to be there. */
import { randomUUIDv7 } from "node:crypto";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import type { TestGround } from "./test-ground.ts";

/** Id of a new tenant. */
export async function addTenant({ database, now }: TestGround, name = "acme"): Promise<string> {
  const id = randomUUIDv7();
  await database
    .insertInto("tenants")
    .values({
      id,
      name,
      quotas: "{}",
      lease_until_ms: null,
      recovery_key: null,
      revision: 1,
      created_ms: now(),
      version: 1,
    })
    .execute();
  return id;
}

/** Id of a new machine; `timeZone`: as its last status says. */
export async function addMachine(
  { database, now }: TestGround,
  tenantId: string,
  timeZone?: string,
): Promise<string> {
  const id = randomUUIDv7();
  await database
    .insertInto("agents")
    .values({
      id,
      tenant_id: tenantId,
      name: `machine ${id.slice(-4)}`,
      kind: "workstation",
      labels: "{}",
      status: "active",
      identity_key: id,
      sealing_key: id,
      installation_id: id,
      fingerprint: "{}",
      enrolled_ms: now(),
      generation: 1,
      created_ms: now(),
      version: 1,
    })
    .execute();
  if (timeZone !== undefined)
    await database
      .insertInto("agent_live")
      .values({
        agent_id: id,
        last_seen_ms: now(),
        run_id: "run",
        address: "127.0.0.1",
        status: JSON.stringify({ facts: { timeZone } }),
        status_ms: now(),
        accepted_serial: null,
        health: "ok",
        version: "1",
      })
      .execute();
  return id;
}

/** Id of a new policy that the server manages, given to those machines. */
export async function addServerPolicy(
  { database, now }: TestGround,
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
