/** One new thing of each kind for a tenant of a management scene. */
import { randomUUID } from "node:crypto";
import type { ManagementScene } from "./management-scene.ts";

/** Ids. */
export interface Things {
  /** Taken by nothing yet. */
  readonly name: string;
  readonly tenant: string;
  readonly group: string;
  readonly agent: string;
  readonly repository: string;
  readonly secret: string;
  readonly policy: string;
  readonly command: string;
  readonly apiToken: string;
  /** Of the whole server: its newest destination key. */
  readonly signingKey: string;
}

const maker = "test";

/** Makes them, but for the tenant, which is the scene's. */
export async function makeThings(scene: ManagementScene, owner: "a" | "b"): Promise<Things> {
  const { rooms, tenantIds, ground } = scene;
  const tenant = tenantIds[owner];
  const name = `thing-${randomUUID()}`;
  const [group, agent, repository, secret, apiToken] = await Promise.all([
    rooms.groups.create(maker, tenant, { name, selector: { kind: "static" } }),
    addAgent(scene, tenant, name),
    rooms.repositories.create(maker, tenant, { name, routes: [{ kind: "gateway" }], quotas: {} }),
    rooms.secrets.put(maker, tenant, name, Buffer.from("secret value")),
    rooms.tokens.make(ground.database, maker, {
      name,
      tenantId: tenant,
      role: "read-only",
      expiresMs: null,
    }),
  ]);
  await keepRepository(scene, tenant);
  const policy = await rooms.policies.create(maker, tenant, {
    document: policyDocument(name),
    managedBy: "agent",
    serverSchedule: {},
    groupIds: [],
    agentIds: [agent],
  });
  const command = await rooms.commands.create(maker, tenant, {
    agentId: agent,
    order: { kind: "sync" },
  });
  const keys = await rooms.signingKeys.list();
  const signingKey = keys.findLast(({ role, isOffline }) => role === "destination" && !isOffline);
  return {
    name: `new-${randomUUID()}`,
    tenant,
    group: group.id,
    agent,
    repository: repository.id,
    secret: secret.id,
    policy: policy.id,
    command: command.id,
    apiToken: apiToken.token.id,
    signingKey: signingKey?.id ?? "",
  };
}

/** A machine that has just been enrolled and was heard of once. */
export async function addAgent(
  { ground: { database, now } }: ManagementScene,
  tenantId: string,
  name: string,
): Promise<string> {
  const id = randomUUID();
  await database
    .insertInto("agents")
    .values({
      id,
      tenant_id: tenantId,
      name,
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
  await database
    .insertInto("agent_live")
    .values({
      agent_id: id,
      last_seen_ms: now(),
      run_id: "1",
      address: "192.0.2.1",
      status: null,
      status_ms: null,
      accepted_serial: null,
      health: "ok",
      version: "1.0.0",
    })
    .execute();
  return id;
}

const keptRepository = "kept";

/** A policy that may be given to a tenant of the scene. */
export function policyDocument(name: string): Record<string, unknown> {
  return {
    version: 1,
    name,
    source: { mode: "files", paths: ["/srv"] },
    destination: { repository: `backstay:${keptRepository}` },
    encryption: { password: { secret: "automatic" } },
  };
}

/** The repository that policies of things name: one for each tenant. */
async function keepRepository({ rooms }: ManagementScene, tenant: string): Promise<void> {
  const page = { after: null, limit: 1 };
  const [known] = await rooms.repositories.list(tenant, page, { name: keptRepository });
  if (known === undefined)
    await rooms.repositories.create(maker, tenant, {
      name: keptRepository,
      routes: [{ kind: "gateway" }],
      quotas: {},
    });
}
