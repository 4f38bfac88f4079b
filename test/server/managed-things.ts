/** One new thing of each kind for a tenant of a management scene. */
import { randomBytes, randomUUID } from "node:crypto";
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
  /** A policy whose change is on its way. */
  readonly rollout: string;
  readonly enrolmentToken: string;
  readonly enrolmentRequest: string;
  readonly identityConflict: string;
  readonly session: string;
  readonly event: string;
  readonly escrow: string;
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
  const rollout = await rollOut(scene, tenant, agent);
  const { info: enrolmentToken } = await rooms.enrolmentTokens.create(maker, tenant, {
    name,
    usesMax: 5,
    expiresMs: ground.now() + 86_400_000,
    groupId: null,
    labels: {},
    networks: [],
    needsApproval: true,
    agentId: null,
  });
  const rest = await insertReported(scene, { tenant, agent, tokenId: enrolmentToken.id });
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
    rollout,
    enrolmentToken: enrolmentToken.id,
    ...rest,
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

/** A policy of which a change has reached no machine yet. */
async function rollOut({ rooms }: ManagementScene, tenant: string, agent: string): Promise<string> {
  const settings = {
    managedBy: "agent",
    serverSchedule: {},
    groupIds: [],
    agentIds: [agent],
  } as const;
  const document = policyDocument(`rolling-${randomUUID()}`);
  const { id, version } = await rooms.policies.create(maker, tenant, { ...settings, document });
  await rooms.policies.replace(
    maker,
    tenant,
    id,
    version,
    { ...settings, document: { ...document, priority: 1 } },
    {
      waves: [
        { percent: 1, soakMs: 1000 },
        { percent: 50, soakMs: 1000 },
        { percent: 100, soakMs: 0 },
      ],
    },
  );
  return id;
}

/** What machines would have sent. */
async function insertReported(
  { ground: { database, now } }: ManagementScene,
  { tenant, agent, tokenId }: { tenant: string; agent: string; tokenId: string },
): Promise<Pick<Things, "enrolmentRequest" | "identityConflict" | "session" | "event" | "escrow">> {
  const key = randomBytes(32).toString("base64url");
  const request = {
    identityKey: key,
    sealingKey: key,
    installationId: randomUUID(),
    fingerprint: {},
    facts: {
      hostName: "pc",
      system: "linux",
      architecture: "x64",
      agentVersion: "1.0.0",
      kind: "workstation",
      addresses: [],
      labels: {},
    },
  };
  const ids = {
    enrolmentRequest: randomUUID(),
    identityConflict: randomUUID(),
    escrow: randomUUID(),
  };
  await database
    .insertInto("enrolment_requests")
    .values({
      id: ids.enrolmentRequest,
      tenant_id: tenant,
      token_id: tokenId,
      identity_key: key,
      sealing_key: key,
      request: JSON.stringify({ machine: request, address: "192.0.2.1" }),
      forked_from: null,
      state: "pending",
      agent_id: null,
      created_ms: now(),
      decided_ms: null,
      decided_by: null,
      version: 1,
    })
    .execute();
  await database
    .insertInto("identity_conflicts")
    .values({
      id: ids.identityConflict,
      tenant_id: tenant,
      agent_id: agent,
      evidence: JSON.stringify({ runs: [], isDecided: false }),
      state: "open",
      created_ms: now(),
      updated_ms: now(),
    })
    .execute();
  await database
    .insertInto("escrow")
    .values({
      id: ids.escrow,
      tenant_id: tenant,
      agent_id: agent,
      repository_id: randomUUID(),
      recovery_key_id: "recovery",
      key_name: "key",
      sealed: "a.b.c.d.e",
      created_ms: now(),
    })
    .execute();
  const reported = { session: "", event: "" };
  for (const kind of ["session", "event"] as const) {
    const id = randomUUID();
    reported[kind] = `${agent}.${id}`;
    const body = { id, kind, timeMs: now(), code: "x", severity: "info", text: "", subject: "" };
    await database
      .insertInto("reports")
      .values({
        agent_id: agent,
        id,
        tenant_id: tenant,
        kind,
        time_ms: now(),
        received_ms: now(),
        policy: "p",
        outcome: "success",
        body: JSON.stringify(body),
      })
      .execute();
  }
  return { ...ids, ...reported };
}
