import { expect, it } from "vitest";
import {
  actor,
  BundleScene,
  documentOf,
  type SceneMachine,
  sceneTenant,
} from "../../test/bundles/bundle-scene.ts";
import { eachGround, type TestGround } from "../../test/server/test-ground.ts";
import type { ServerPolicy } from "./policies.ts";

const waves = [
  { percent: 50, soakMs: 1000 },
  { percent: 100, soakMs: 0 },
];

/** What the server has heard of a machine. */
async function hear(
  ground: TestGround,
  agentId: string,
  said: { outcome: string; bytes?: number; version: number; state?: string },
): Promise<void> {
  const { database } = ground;
  const now = ground.now();
  await database.deleteFrom("agent_live").where("agent_id", "=", agentId).execute();
  await database.deleteFrom("protection").where("agent_id", "=", agentId).execute();
  await database
    .insertInto("agent_live")
    .values({
      agent_id: agentId,
      last_seen_ms: now,
      run_id: "",
      address: "",
      status: JSON.stringify({ bundle: { state: said.state ?? "applied" } }),
      status_ms: now,
      accepted_serial: 1,
      health: "ok",
      version: "1",
    })
    .execute();
  await database
    .insertInto("protection")
    .values({
      agent_id: agentId,
      policy: "documents",
      tenant_id: sceneTenant,
      last_good_ms: now,
      last_outcome: said.outcome,
      last_ended_ms: now,
      maximum_age_ms: 1,
      since_ms: 1,
      overdue_since_ms: null,
      bytes_selected: said.bytes ?? 1000,
      policy_version: said.version,
    })
    .execute();
}

eachGround("rollouts", (ground) => {
  /** Twelve machines whose policy has just been changed in two waves. */
  const rolling = async () => {
    const scene = await BundleScene.make(ground());
    const machines: SceneMachine[] = [];
    for (let number = 1; number <= 12; number += 1)
      machines.push(await scene.addMachine(`pc${number}`));
    const ids = machines.map(({ id }) => id);
    const before = await scene.policies.create(actor, sceneTenant, scene.settings(ids));
    for (const { id } of machines) await hear(ground(), id, { outcome: "success", version: 1 });
    const settings = scene.settings(ids, documentOf("documents", ["/a", "/b", "/new"]));
    const policy = await scene.policies.replace(actor, null, before.id, before.version, settings, {
      waves,
    });
    const versions = async (): Promise<number[]> => {
      const found = [];
      for (const machine of machines) {
        const { bundle } = await scene.read(machine);
        found.push(bundle.policies.get("documents")?.policyVersion ?? 0);
      }
      return found;
    };
    return { scene, machines, policy, versions };
  };
  const now = async (scene: BundleScene, { id }: ServerPolicy): Promise<ServerPolicy> =>
    await scene.policies.get(null, id);
  const count = (versions: number[], version: number): number =>
    versions.filter((each) => each === version).length;

  it("reach a part first, and all when that part fares well", async () => {
    const { scene, machines, policy, versions } = await rolling();
    const first = await versions();
    expect(count(first, 2)).toBeGreaterThan(0);
    expect(count(first, 1)).toBeGreaterThan(0);
    await scene.rollouts.look();
    ground().advance(2000);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout?.wave).toBe(0);
    for (const [at, { id }] of machines.entries())
      await hear(ground(), id, { outcome: "success", version: first[at] ?? 0 });
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout?.wave).toBe(1);
    expect(count(await versions(), 2)).toBe(machines.length);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout).toBeNull();
    expect(count(await versions(), 2)).toBe(machines.length);
    expect(await ground().database.selectFrom("rollout_members").selectAll().execute()).toEqual([]);
  });

  it.each([
    ["refuse the change", { outcome: "success", version: 1, state: "refused" }, /refused/],
    ["fail", { outcome: "failure", version: 2 }, /fail/],
    ["select far less", { outcome: "success", version: 2, bytes: 100 }, /select 10 %/],
  ])("halt when machines %s, and can be taken back", async (_, said, reason) => {
    const { scene, machines, policy, versions } = await rolling();
    const first = await versions();
    await scene.rollouts.look();
    ground().advance(2000);
    for (const [at, { id }] of machines.entries())
      if (first[at] === 2) await hear(ground(), id, said);
    await scene.rollouts.look();
    const { rollout } = await now(scene, policy);
    expect(rollout).toMatchObject({ state: "halted", wave: 0 });
    expect(rollout?.reason).toMatch(reason);
    expect(await versions()).toEqual(first);
    const serials = await Promise.all(
      machines.map(async ({ id }) => (await scene.bundles.current(id, { serial: 0 })).serial),
    );
    await scene.rollouts.order(actor, null, policy.id, "abort");
    const back = await now(scene, policy);
    expect(back).toMatchObject({ policyVersion: 3, rollout: null });
    expect(back.document.source?.paths).toEqual(["/a", "/b"]);
    expect(count(await versions(), 3)).toBe(machines.length);
    for (const [at, { id }] of machines.entries())
      expect((await scene.bundles.current(id, { serial: 0 })).serial).toBeGreaterThan(serials[at]);
  });

  it("can be paused, resumed, hurried, and hold up the next change meanwhile", async () => {
    const { scene, machines, policy, versions } = await rolling();
    const { order } = scene.rollouts;
    const ask = order.bind(scene.rollouts, actor, null, policy.id);
    await ask("pause");
    ground().advance(10_000);
    await scene.rollouts.look();
    const paused = await now(scene, policy);
    expect(paused.rollout).toMatchObject({ state: "paused", wave: 0 });
    const settings = scene.settings([], documentOf("documents", ["/other"]));
    const change = scene.policies.replace(actor, null, policy.id, paused.version, settings);
    await expect(change).rejects.toMatchObject({ code: "RESOURCE_STATE" });
    await ask("resume");
    await ask("finish");
    expect(count(await versions(), 2)).toBe(machines.length);
    await expect(ask("pause")).rejects.toMatchObject({ code: "RESOURCE_STATE" });
    expect(await scene.rollouts.observe(null, policy.id)).toBeUndefined();
  });

  it("are for many machines; few get a change at once", async () => {
    const scene = await BundleScene.make(ground());
    const ids: string[] = [];
    for (let number = 1; number <= 20; number += 1)
      ids.push((await scene.addMachine(`pc${number}`)).id);
    const changed = async (agentIds: readonly string[], name: string) => {
      const { policies } = scene;
      const before = await policies.create(
        actor,
        sceneTenant,
        scene.settings(agentIds, documentOf(name, ["/a"])),
      );
      const settings = scene.settings(agentIds, documentOf(name, ["/b"]));
      return await policies.replace(actor, null, before.id, before.version, settings);
    };
    expect((await changed(ids.slice(1), "few")).rollout).toBeNull();
    expect((await changed(ids, "many")).rollout?.waves).toHaveLength(4);
  });
});
