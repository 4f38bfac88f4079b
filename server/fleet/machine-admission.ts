/** Putting a machine into the fleet: as a new member, in the place of one that was reinstalled, or as a clone on its own. */
import { randomUUIDv7 } from "node:crypto";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import type { EnrolmentRequest } from "../../protocol/control/enrolment.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { joinGroup, placeInGroups } from "./group-members.ts";

/** What the machine has said, without the proof. */
export type MachineRequest = Omit<EnrolmentRequest, "proof" | "tokenId" | "version">;

/** Asked before a machine is added, in the transaction: throws AGENT_REFUSED (`licence-exceeded`) if it may not be. */
export type AdmissionRule = (
  queries: Queries,
  tenantId: string,
  kind: "workstation" | "server",
) => Promise<void>;

/** How a machine comes in. */
export interface Admission {
  readonly tenantId: string;
  readonly machine: MachineRequest;
  /** What it is labelled with, above what it says itself. */
  readonly labels: Readonly<Record<string, string>>;
  /** Static groups that it joins. */
  readonly groupIds: readonly string[];
  /** For the audit log: `token:…` of the administrator who approved it; absent: the machine itself. */
  readonly actor?: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;
}

/** Adds a machine; its id. The caller's transaction must have locked the tenant (`lockTenant`). */
export async function admitMachine(
  ground: ServerGround,
  queries: Queries,
  rule: AdmissionRule,
  admission: Admission,
): Promise<string> {
  const { tenantId, machine } = admission;
  await requireRoom(queries, tenantId);
  await rule(queries, tenantId, machine.facts.kind);
  const id = randomUUIDv7();
  const name = await freeName(queries, tenantId, machine.facts.hostName);
  await queries
    .insertInto("agents")
    .values({
      id,
      tenant_id: tenantId,
      name,
      kind: machine.facts.kind,
      labels: JSON.stringify({ ...machine.facts.labels, ...admission.labels }),
      status: "active",
      ...keysOf(machine),
      enrolled_ms: ground.now(),
      generation: 1,
      created_ms: ground.now(),
      version: 1,
    })
    .execute();
  await placeInGroups(queries, id);
  for (const groupId of await stillThere(queries, admission.groupIds))
    await joinGroup(queries, groupId, id);
  await recordAdmission(ground, queries, "agent.enrol", id, admission, { name, generation: 1 });
  return id;
}

/** The reinstalled machine takes its place again: same id, so same repository and history; the old keys end. */
export async function replaceMachine(
  ground: ServerGround,
  queries: Queries,
  agentId: string,
  admission: Admission,
): Promise<string> {
  const { tenantId, machine } = admission;
  const agent = await queries
    .selectFrom("agents")
    .select(["name", "generation"])
    .where("id", "=", agentId)
    .where("tenant_id", "=", tenantId)
    .executeTakeFirst();
  if (agent === undefined)
    throw agentRefusal("token-unknown", "The machine that the token was made for is gone.");
  const generation = agent.generation + 1;
  await queries
    .updateTable("agents")
    .set((row) => ({
      ...keysOf(machine),
      status: "active",
      enrolled_ms: ground.now(),
      generation,
      version: row("version", "+", 1),
    }))
    .where("id", "=", agentId)
    .execute();
  // What was seen of the machine as it was says nothing of the one that it is now.
  await queries.deleteFrom("agent_runs").where("agent_id", "=", agentId).execute();
  await queries
    .updateTable("identity_conflicts")
    .set({ state: "dismissed", updated_ms: ground.now() })
    .where("agent_id", "=", agentId)
    .where("state", "=", "open")
    .execute();
  // Its bundle must be sealed to the new key.
  await raiseTenantRevision(queries, tenantId);
  const { name } = agent;
  await recordAdmission(ground, queries, "agent.re-enrol", agentId, admission, {
    name,
    generation,
  });
  return agentId;
}

/** From here to the end of the transaction no other machine joins the tenant. */
export async function lockTenant(queries: Queries, tenantId: string): Promise<void> {
  await queries
    .updateTable("tenants")
    .set((row) => ({ revision: row("revision", "+", 0) }))
    .where("id", "=", tenantId)
    .execute();
}

/** A group may have been removed since the token was made. */
async function stillThere(queries: Queries, groupIds: readonly string[]): Promise<string[]> {
  if (groupIds.length === 0) return [];
  const rows = await queries
    .selectFrom("groups")
    .select("id")
    .where("id", "in", groupIds)
    .where("kind", "=", "static")
    .execute();
  return rows.map(({ id }) => id);
}

function keysOf(machine: MachineRequest): {
  identity_key: string;
  sealing_key: string;
  installation_id: string;
  fingerprint: string;
} {
  return {
    identity_key: machine.identityKey,
    sealing_key: machine.sealingKey,
    installation_id: machine.installationId,
    fingerprint: JSON.stringify(machine.fingerprint),
  };
}

async function requireRoom(queries: Queries, tenantId: string): Promise<void> {
  const tenant = await queries
    .selectFrom("tenants")
    .select("quotas")
    .where("id", "=", tenantId)
    .executeTakeFirstOrThrow();
  const { agentsMax } = JSON.parse(tenant.quotas) as { agentsMax?: number };
  if (agentsMax === undefined) return;
  const { count } = await queries
    .selectFrom("agents")
    .select((row) => row.fn.countAll<number>().as("count"))
    .where("tenant_id", "=", tenantId)
    .where("status", "!=", "revoked")
    .executeTakeFirstOrThrow();
  if (Number(count) >= agentsMax)
    throw agentRefusal(
      "quota-exceeded",
      `The tenant may have ${agentsMax} machines, and has them.`,
    );
}

/** The name of the machine, with a number behind it if there is one of the name: people tell them apart by it. */
async function freeName(queries: Queries, tenantId: string, hostName: string): Promise<string> {
  const wanted = hostName.trim() === "" ? "machine" : hostName.trim();
  const isFree = async (name: string): Promise<boolean> => {
    const row = await queries
      .selectFrom("agents")
      .select("id")
      .where("tenant_id", "=", tenantId)
      .where("name", "=", name)
      .executeTakeFirst();
    return row === undefined;
  };
  if (await isFree(wanted)) return wanted;
  // Images make thousands of one name: begin where the numbers should end.
  const { count } = await queries
    .selectFrom("agents")
    .select((row) => row.fn.countAll<number>().as("count"))
    .where("tenant_id", "=", tenantId)
    .where("name", ">=", `${wanted}-`)
    .where("name", "<", `${wanted}.`)
    .executeTakeFirstOrThrow();
  for (let number = Number(count) + 2; ; number += 1)
    if (await isFree(`${wanted}-${number}`)) return `${wanted}-${number}`;
}

async function recordAdmission(
  ground: ServerGround,
  queries: Queries,
  action: string,
  agentId: string,
  { tenantId, actor, details }: Admission,
  about: Readonly<Record<string, unknown>>,
): Promise<void> {
  await ground.audit.record(queries, {
    tenantId,
    actor: actor ?? `agent:${agentId}`,
    action,
    target: agentId,
    details: { ...about, ...details },
  });
}
