/** The rooms that make bundles on a test's ground, with a tenant, a repository, and machines that read what they get. */
import type { KeyObject } from "node:crypto";
import type { BundleReader } from "../../agent/control/bundle-reader.ts";
import { type VerifiedBundle, verifyBundle } from "../../agent/control/verify-bundle.ts";
import { newPrivateKey, rawPublicKey } from "../../protocol/control/curve-keys.ts";
import { AgentIntents } from "../../server/bundles/agent-intents.ts";
import { Bundles } from "../../server/bundles/bundles.ts";
import { MachineRepositories } from "../../server/bundles/machine-repositories.ts";
import { Policies, type PolicySettings } from "../../server/bundles/policies.ts";
import { Repositories } from "../../server/bundles/repositories.ts";
import { Rollouts } from "../../server/bundles/rollouts.ts";
import { Secrets } from "../../server/bundles/secrets.ts";
import { SigningKeys } from "../../server/bundles/signing-keys.ts";
import type { ServerGround } from "../../server/ground/server-ground.ts";
import { Licences } from "../../server/licence/licences.ts";
import { addTenant, machineRow } from "../server/fleet-rows.ts";

export const actor = "token:x";
export const sceneTenant = "tenant-1";

const batchRows = 500;

/** A machine of the scene, with the private half of its sealing key. */
export interface SceneMachine {
  readonly id: string;
  readonly sealingKey: KeyObject;
}

export class BundleScene {
  readonly ground: ServerGround;
  readonly keys: SigningKeys;
  readonly secrets: Secrets;
  readonly repositories: Repositories;
  readonly policies: Policies;
  readonly rollouts: Rollouts;
  readonly intents: AgentIntents;
  readonly machineRepositories: MachineRepositories;
  readonly licences: Licences;
  readonly bundles: Bundles;

  constructor(ground: ServerGround, licences = new Licences(ground)) {
    this.ground = ground;
    this.licences = licences;
    this.keys = new SigningKeys(ground);
    this.secrets = new Secrets(ground);
    this.repositories = new Repositories(ground, this.keys);
    this.policies = new Policies(ground);
    this.rollouts = new Rollouts(ground);
    this.intents = new AgentIntents(ground);
    this.machineRepositories = new MachineRepositories(ground);
    this.bundles = this.anotherReplica();
  }

  /** With its first keys, a tenant and its repository `main` by way of the gateway. */
  static async make(ground: ServerGround, licences?: Licences): Promise<BundleScene> {
    const scene = new BundleScene(ground, licences);
    await scene.keys.prepare();
    await scene.addTenant(sceneTenant);
    await scene.repositories.create(actor, sceneTenant, {
      name: "main",
      routes: [{ kind: "gateway" }],
      quotas: {},
    });
    return scene;
  }

  /** Bundles as another process compiles them. */
  anotherReplica(): Bundles {
    const { ground, keys, licences } = this;
    return new Bundles({ ground, keys, licence: async (queries) => await licences.terms(queries) });
  }

  async addTenant(id: string): Promise<void> {
    await addTenant(this.ground, { id, name: id });
  }

  async addMachine(id: string, tenantId = sceneTenant): Promise<SceneMachine> {
    return (await this.addMachines([id], tenantId))[0];
  }

  async addMachines(ids: readonly string[], tenantId = sceneTenant): Promise<SceneMachine[]> {
    const made = ids.map((id) => ({ id, sealingKey: newPrivateKey("x25519") }));
    const nowMs = this.ground.now();
    const rows = made.map(({ id, sealingKey }) =>
      machineRow(nowMs, tenantId, { id, name: id, sealing_key: rawPublicKey(sealingKey) }),
    );
    for (let at = 0; at < rows.length; at += batchRows)
      await this.ground.database
        .insertInto("agents")
        .values(rows.slice(at, at + batchRows))
        .execute();
    return made;
  }

  /** Settings of a policy for these machines. */
  settings(
    agentIds: readonly string[],
    document: Readonly<Record<string, unknown>> = documentOf("documents", ["/a", "/b"]),
  ): PolicySettings {
    return { document, managedBy: "agent", serverSchedule: {}, groupIds: [], agentIds };
  }

  /** The newest bundle of a machine as that machine reads it. */
  async read(machine: SceneMachine, serial = 0, bundles = this.bundles): Promise<VerifiedBundle> {
    await bundles.current(machine.id, { serial });
    const { jws } = await bundles.text(machine.id);
    return verifyBundle(jws, await this.readerOf(machine));
  }

  /** The newest bundle as a machine takes it that has accepted `before`. */
  async accept(machine: SceneMachine, { floors }: VerifiedBundle): Promise<VerifiedBundle> {
    await this.bundles.current(machine.id, { serial: floors.serial });
    const { jws } = await this.bundles.text(machine.id);
    return verifyBundle(jws, await this.readerOf(machine), floors);
  }

  async readerOf({ id, sealingKey }: SceneMachine): Promise<BundleReader> {
    const rootKey = await this.keys.rootKey();
    return { tenantId: sceneTenant, agentId: id, rootKey, sealingKey };
  }
}

/** A policy document of the server. */
export function documentOf(
  name: string,
  paths: readonly string[],
  password = "automatic",
): Record<string, unknown> {
  return {
    version: 1,
    name,
    source: { paths },
    destination: { repository: "backstay:main" },
    encryption: { password: { secret: password } },
  };
}
