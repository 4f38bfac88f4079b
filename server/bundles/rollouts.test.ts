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
import { isReached } from "./rollout.ts";

const waves = [
  { percent: 50, soakMs: 1000 },
  { percent: 100, soakMs: 0 },
];

const fleetSize = 40;
/** Of each kind: those that the first wave holds, and those that it does not. */
const watchedMachines = 4;

/** What the server has heard of machines. */
async function hear(
  ground: TestGround,
  machines: readonly SceneMachine[],
  said: { outcome: string; bytes?: number; version: number; state?: string },
): Promise<void> {
  const { database } = ground;
  const now = ground.now();
  const ids = machines.map(({ id }) => id);
  await database.deleteFrom("agent_live").where("agent_id", "in", ids).execute();
  await database.deleteFrom("protection").where("agent_id", "in", ids).execute();
  const live = ids.map((agent_id) => ({
    agent_id,
    last_seen_ms: now,
    run_id: "",
    address: "",
    status: JSON.stringify({ bundle: { state: said.state ?? "applied" } }),
    status_ms: now,
    accepted_serial: 1,
    health: "ok",
    version: "1",
  }));
  await database.insertInto("agent_live").values(live).execute();
  const protection = ids.map((agent_id) => ({
    agent_id,
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
  }));
  await database.insertInto("protection").values(protection).execute();
}

const names = (beginning: string): string[] =>
  Array.from({ length: fleetSize }, (_, number) => `${beginning}${number}`);

/** A few machines that the first wave holds, and as many that it does not. */
function someOfBoth(
  { rollout }: ServerPolicy,
  fleet: readonly SceneMachine[],
): { readonly reached: SceneMachine[]; readonly others: SceneMachine[] } {
  if (rollout === null) throw new Error("nothing is being rolled out");
  const reached = fleet.filter(({ id }) => isReached(rollout, id)).slice(0, watchedMachines);
  const others = fleet.filter(({ id }) => !isReached(rollout, id)).slice(0, watchedMachines);
  expect([reached.length, others.length]).toEqual([watchedMachines, watchedMachines]);
  return { reached, others };
}

eachGround("rollouts", (ground) => {
  /** Machines whose policy has just been changed in two waves: some that the first holds, and some that it does not. */
  const rolling = async () => {
    const scene = await BundleScene.make(ground());
    const fleet = await scene.addMachines(names("pc"));
    const ids = fleet.map(({ id }) => id);
    const before = await scene.policies.create(actor, sceneTenant, scene.settings(ids));
    await hear(ground(), fleet, { outcome: "success", version: 1 });
    const settings = scene.settings(ids, documentOf("documents", ["/a", "/b", "/new"]));
    const policy = await scene.policies.replace(actor, null, before.id, before.version, settings, {
      waves,
    });
    const { reached, others } = someOfBoth(policy, fleet);
    /** Of those reached, then of the others. */
    const versions = async (): Promise<number[][]> => [
      await versionsOf(scene, reached),
      await versionsOf(scene, others),
    ];
    return { scene, ids, reached, others, policy, versions };
  };
  const versionsOf = async (
    scene: BundleScene,
    machines: readonly SceneMachine[],
  ): Promise<number[]> => {
    const found = new Set<number>();
    for (const machine of machines) {
      const { bundle } = await scene.read(machine);
      found.add(bundle.policies.get("documents")?.policyVersion ?? 0);
    }
    return [...found];
  };
  const now = async (scene: BundleScene, { id }: ServerPolicy): Promise<ServerPolicy> =>
    await scene.policies.get(null, id);

  it("reach a part first, and all when that part fares well", async () => {
    const { scene, reached, policy, versions } = await rolling();
    expect(await versions()).toEqual([[2], [1]]);
    ground().advance(2000);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout?.wave).toBe(0);
    await hear(ground(), reached, { outcome: "success", version: 2 });
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout?.wave).toBe(1);
    expect(await versions()).toEqual([[2], [2]]);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout).toBeNull();
    expect(await versions()).toEqual([[2], [2]]);
    expect(await ground().database.selectFrom("rollout_members").selectAll().execute()).toEqual([]);
  });

  it.each([
    ["refuse the change", { outcome: "success", version: 1, state: "refused" }, /refused/],
    ["fail", { outcome: "failure", version: 2 }, /fail/],
    ["select far less", { outcome: "success", version: 2, bytes: 100 }, /select 10 %/],
  ])("halt when machines %s, and can be taken back", async (_, said, reason) => {
    const { scene, reached, others, policy, versions } = await rolling();
    // Before anybody has looked.
    ground().advance(10);
    await hear(ground(), reached, said);
    await scene.rollouts.look();
    const { rollout } = await now(scene, policy);
    expect(rollout).toMatchObject({ state: "halted", wave: 0 });
    expect(rollout?.reason).toMatch(reason);
    ground().advance(10_000);
    await scene.rollouts.look();
    expect(await versions()).toEqual([[2], [1]]);
    const serials = async (): Promise<number[]> =>
      await Promise.all(
        [...reached, ...others].map(
          async ({ id }) => (await scene.bundles.current(id, { serial: 0 })).serial,
        ),
      );
    const before = await serials();
    await scene.rollouts.order(actor, null, policy.id, "abort");
    const back = await now(scene, policy);
    expect(back).toMatchObject({ policyVersion: 3, rollout: null });
    expect(back.document.source?.paths).toEqual(["/a", "/b"]);
    expect(await versions()).toEqual([[3], [3]]);
    for (const [at, serial] of (await serials()).entries())
      expect(serial).toBeGreaterThan(before[at] ?? 0);
  });

  it("go on after a halt when people say so: what is known by then halts them no more", async () => {
    const { scene, reached, policy, versions } = await rolling();
    const failing = { outcome: "failure", version: 2 };
    ground().advance(10);
    await hear(ground(), reached, failing);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout).toMatchObject({ state: "halted", wave: 0 });
    await scene.rollouts.order(actor, null, policy.id, "resume");
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout).toMatchObject({ state: "running", wave: 0 });
    ground().advance(2000);
    await hear(ground(), reached, failing);
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout?.wave).toBe(1);
    expect(await versions()).toEqual([[2], [2]]);
  });

  it("reach machines that come meanwhile in their turn, and these shut no gate by being new", async () => {
    const { scene, ids, policy } = await rolling();
    const late = await scene.addMachines(names("late"));
    const settings = scene.settings(
      [...ids, ...late.map(({ id }) => id)],
      documentOf("documents", ["/a", "/b", "/new"]),
    );
    const { version } = await now(scene, policy);
    const wider = await scene.policies.replace(actor, null, policy.id, version, settings);
    expect(wider).toMatchObject({ policyVersion: 2, rollout: { state: "running", wave: 0 } });
    const { reached, others } = someOfBoth(wider, late);
    expect(await versionsOf(scene, reached)).toEqual([2]);
    expect(await versionsOf(scene, others)).toEqual([1]);
    await scene.rollouts.look();
    ground().advance(10);
    await hear(ground(), reached, { outcome: "failure", version: 2, bytes: 1 });
    await scene.rollouts.look();
    expect((await now(scene, policy)).rollout).toMatchObject({ state: "running" });
    await scene.rollouts.order(actor, null, policy.id, "finish");
    expect(await versionsOf(scene, [...reached, ...others])).toEqual([2]);
  });

  it("can be paused, resumed, hurried, and hold up the next change meanwhile", async () => {
    const { scene, policy, versions } = await rolling();
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
    expect(await versions()).toEqual([[2], [2]]);
    await expect(ask("pause")).rejects.toMatchObject({ code: "RESOURCE_STATE" });
    expect(await scene.rollouts.observe(null, policy.id)).toBeUndefined();
  });

  it("are for many machines; few get a change at once", async () => {
    const scene = await BundleScene.make(ground());
    const ids = names("pc").slice(0, 20);
    await scene.addMachines(ids);
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
