/** New things of each kind for a tenant of a management scene. */
import { randomBytes, randomUUID } from "node:crypto";
import { addHeardMachine } from "./fleet-rows.ts";
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

export type ThingKind = Exclude<keyof Things, "name">;

const actor = "test";
const keptRepository = "kept";

/** One of each, but for the tenant, which is the scene's. They belong together: the policies are for the agent. */
export async function makeThings(scene: ManagementScene, owner: "a" | "b"): Promise<Things> {
  const maker = new ThingMaker(scene, owner);
  const made: Partial<Record<keyof Things, string>> = { name: newName() };
  for (const kind of Object.keys(makers) as ThingKind[]) made[kind] = await maker.make(kind);
  return made as Things;
}

/** One thing of a kind, with what it can't be without. */
export async function makeThing(
  scene: ManagementScene,
  owner: "a" | "b",
  kind: ThingKind,
): Promise<string> {
  return await new ThingMaker(scene, owner).make(kind);
}

/** A name that nothing has. */
export function newName(): string {
  return `new-${randomUUID()}`;
}

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

/** Makes each kind at most once. */
class ThingMaker {
  readonly scene: ManagementScene;
  readonly tenant: string;
  readonly name = `thing-${randomUUID()}`;
  readonly #made = new Map<ThingKind, Promise<string>>();

  constructor(scene: ManagementScene, owner: "a" | "b") {
    this.scene = scene;
    this.tenant = scene.tenantIds[owner];
  }

  async make(kind: ThingKind): Promise<string> {
    const made = this.#made.get(kind) ?? makers[kind](this);
    this.#made.set(kind, made);
    return await made;
  }
}

const makers: Readonly<Record<ThingKind, (maker: ThingMaker) => Promise<string>>> = {
  tenant: async ({ tenant }) => tenant,
  group: async ({ scene, tenant, name }) =>
    (await scene.rooms.groups.create(actor, tenant, { name, selector: { kind: "static" } })).id,
  agent: async ({ scene, tenant, name }) => await addHeardMachine(scene.ground, tenant, { name }),
  repository: async ({ scene, tenant, name }) => await addRepository(scene, tenant, name),
  secret: async ({ scene, tenant, name }) =>
    (await scene.rooms.secrets.put(actor, tenant, name, Buffer.from("secret value"))).id,
  policy: async (things) => (await addPolicy(things, policyDocument(things.name))).id,
  command: async (things) => {
    const order = { agentId: await things.make("agent"), order: { kind: "sync" } } as const;
    return (await things.scene.rooms.commands.create(actor, things.tenant, order)).id;
  },
  rollout: rollOut,
  enrolmentToken: async ({ scene, tenant, name }) => {
    const settings = {
      name,
      usesMax: 5,
      expiresMs: scene.ground.now() + 86_400_000,
      groupId: null,
      labels: {},
      networks: [],
      needsApproval: true,
      agentId: null,
    };
    return (await scene.rooms.enrolmentTokens.create(actor, tenant, settings)).info.id;
  },
  enrolmentRequest: insertEnrolmentRequest,
  identityConflict: insertIdentityConflict,
  session: async (things) => await insertReport(things, "session"),
  event: async (things) => await insertReport(things, "event"),
  escrow: insertEscrow,
  apiToken: async ({ scene, tenant, name }) => {
    const wanted = { name, tenantId: tenant, role: "read-only", expiresMs: null } as const;
    return (await scene.rooms.tokens.make(scene.ground.database, actor, wanted)).token.id;
  },
  signingKey: async ({ scene }) => {
    const keys = await scene.rooms.signingKeys.list();
    return keys.findLast(({ role, isOffline }) => role === "destination" && !isOffline)?.id ?? "";
  },
};

async function addRepository(
  { rooms }: ManagementScene,
  tenant: string,
  name: string,
): Promise<string> {
  const settings = { name, routes: [{ kind: "gateway" }], quotas: {} } as const;
  return (await rooms.repositories.create(actor, tenant, settings)).id;
}

/** For the agent. */
async function addPolicy(things: ThingMaker, document: Record<string, unknown>) {
  const { scene, tenant } = things;
  // The repository that policies of things name: one for each tenant.
  const page = { after: null, limit: 1 };
  const [known] = await scene.rooms.repositories.list(tenant, page, { name: keptRepository });
  if (known === undefined) await addRepository(scene, tenant, keptRepository);
  const settings = {
    document,
    managedBy: "agent",
    serverSchedule: {},
    groupIds: [],
    agentIds: [await things.make("agent")],
  } as const;
  const { id, version } = await scene.rooms.policies.create(actor, tenant, settings);
  return { id, version, settings };
}

/** A policy of which a change has reached no machine yet. */
async function rollOut(things: ThingMaker): Promise<string> {
  const document = policyDocument(`rolling-${randomUUID()}`);
  const { id, version, settings } = await addPolicy(things, document);
  const changed = { ...settings, document: { ...document, priority: 1 } };
  const waves = [
    { percent: 1, soakMs: 1000 },
    { percent: 50, soakMs: 1000 },
    { percent: 100, soakMs: 0 },
  ];
  const { tenant, scene } = things;
  await scene.rooms.policies.replace(actor, tenant, id, version, changed, { waves });
  return id;
}

/** As a machine would have sent it. */
async function insertEnrolmentRequest(things: ThingMaker): Promise<string> {
  const { database, now } = things.scene.ground;
  const id = randomUUID();
  const key = randomBytes(32).toString("base64url");
  const machine = {
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
  await database
    .insertInto("enrolment_requests")
    .values({
      id,
      tenant_id: things.tenant,
      token_id: await things.make("enrolmentToken"),
      identity_key: key,
      sealing_key: key,
      request: JSON.stringify({ machine, address: "192.0.2.1" }),
      forked_from: null,
      state: "pending",
      agent_id: null,
      created_ms: now(),
      decided_ms: null,
      decided_by: null,
      version: 1,
    })
    .execute();
  return id;
}

async function insertIdentityConflict(things: ThingMaker): Promise<string> {
  const { database, now } = things.scene.ground;
  const id = randomUUID();
  await database
    .insertInto("identity_conflicts")
    .values({
      id,
      tenant_id: things.tenant,
      agent_id: await things.make("agent"),
      evidence: JSON.stringify({ runs: [], isDecided: false }),
      state: "open",
      created_ms: now(),
      updated_ms: now(),
    })
    .execute();
  return id;
}

async function insertEscrow(things: ThingMaker): Promise<string> {
  const { database, now } = things.scene.ground;
  const id = randomUUID();
  await database
    .insertInto("escrow")
    .values({
      id,
      tenant_id: things.tenant,
      agent_id: await things.make("agent"),
      repository_id: randomUUID(),
      recovery_key_id: "recovery",
      key_name: "key",
      sealed: "a.b.c.d.e",
      created_ms: now(),
    })
    .execute();
  return id;
}

/** Its address: agent and report. */
async function insertReport(things: ThingMaker, kind: "session" | "event"): Promise<string> {
  const { database, now } = things.scene.ground;
  const id = randomUUID();
  const agent = await things.make("agent");
  const body = { id, kind, timeMs: now(), code: "x", severity: "info", text: "", subject: "" };
  await database
    .insertInto("reports")
    .values({
      agent_id: agent,
      id,
      tenant_id: things.tenant,
      kind,
      time_ms: now(),
      received_ms: now(),
      policy: "p",
      outcome: "success",
      body: JSON.stringify(body),
    })
    .execute();
  return `${agent}.${id}`;
}
