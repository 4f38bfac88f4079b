/** A repository that consists of others: where each machine stores, and what follows when a member is closed. */
import { expect, it } from "vitest";
import type { RepositoryModes } from "../../protocol/control/repository-stand.ts";
import type { Repository } from "../../server/bundles/repositories.ts";
import { StatusInbox } from "../../server/reports/status-inbox.ts";
import { machineStatus } from "../server/machine-status.ts";
import { eachGround } from "../server/test-ground.ts";
import { actor, BundleScene, documentOf, type SceneMachine, sceneTenant } from "./bundle-scene.ts";

const all = { after: null, limit: 100 };

eachGround("pools", (ground) => {
  const named = async (scene: BundleScene, name: string): Promise<Repository> => {
    const [found] = await scene.repositories.list(null, all, { name });
    if (found === undefined) throw new Error(`there is no ${name}`);
    return found;
  };
  const setModes = async (
    scene: BundleScene,
    name: string,
    ...modes: RepositoryModes
  ): Promise<Repository> => {
    const { id, version, routes, quotas } = await named(scene, name);
    const settings = { name, routes, quotas, modes };
    return await scene.repositories.replace(actor, null, id, version, settings);
  };
  const makeMember = async (scene: BundleScene, name: string): Promise<void> => {
    const routes = [{ kind: "direct" as const, url: `/mnt/${name}/{agent}` }];
    await scene.repositories.create(actor, sceneTenant, { name, routes, quotas: {} });
  };
  const sceneOf = async (machines: readonly string[]) => {
    const scene = await BundleScene.make(ground());
    const made = await scene.addMachines(machines);
    for (const name of ["a", "b"]) await makeMember(scene, name);
    const members = ["a", "b"];
    await scene.repositories.create(actor, sceneTenant, {
      name: "pool",
      routes: [],
      members,
      quotas: {},
    });
    const document = {
      ...documentOf("documents", ["/a", "/b"]),
      destination: { repository: "backstay:pool" },
    };
    await scene.policies.create(actor, sceneTenant, scene.settings(machines, document));
    return { scene, machines: made };
  };
  /** Names of the repositories that the machine's bundle sends it to: the one for new backups first. */
  const places = async (scene: BundleScene, machine: SceneMachine): Promise<string[]> => {
    const { bundle } = await scene.read(machine);
    const policy = bundle.policies.get("documents");
    if (policy === undefined) return [];
    const ids = [policy.repositoryId, ...policy.former.map(({ repositoryId }) => repositoryId)];
    return ids.map((id) => bundle.destinations.get(id)?.name ?? "");
  };
  const tell = async (
    machine: SceneMachine,
    repositoryId: string,
    standNumber: number,
    isBusy: boolean,
  ): Promise<void> =>
    await new StatusInbox(ground()).take(
      { id: machine.id, tenantId: sceneTenant },
      machineStatus({ destinations: [{ repositoryId, epoch: 1, standNumber, isBusy }] }),
    );

  it("spread machines, each for good", async () => {
    const names = ["pc1", "pc2", "pc3", "pc4"];
    const { scene, machines } = await sceneOf(names);
    const found: string[] = [];
    for (const machine of machines) found.push(...(await places(scene, machine)));
    expect(found).toEqual(["a", "b", "a", "b"]);
    await makeMember(scene, "c");
    const pool = await named(scene, "pool");
    const members = ["c", "b", "a"];
    const settings = { name: "pool", routes: [], members, quotas: {} };
    await scene.repositories.replace(actor, null, pool.id, pool.version, settings);
    for (const [at, machine] of machines.entries())
      expect(await places(scene, machine)).toEqual([found[at]]);
    // Of two with as many machines the one with fewer bytes.
    await ground()
      .database.updateTable("machine_repositories")
      .set({ stored_bytes: 1000 })
      .where("repository_id", "=", (await named(scene, "a")).id)
      .execute();
    const late = await scene.addMachines(["pc5", "pc6", "pc7"]);
    const policy = (await scene.policies.list(null, all))[0];
    const document = {
      ...documentOf("documents", ["/a", "/b"]),
      destination: { repository: "backstay:pool" },
    };
    const given = [...names, ...late.map(({ id }) => id)];
    await scene.policies.replace(
      actor,
      null,
      policy?.id ?? "",
      policy?.version ?? 0,
      scene.settings(given, document),
    );
    const chosen: string[] = [];
    for (const machine of late) chosen.push(...(await places(scene, machine)));
    expect(chosen).toEqual(["c", "c", "b"]);
  });

  it("send who is on a sealed member to another one, and let it reach what it had there", async () => {
    const { scene, machines } = await sceneOf(["pc1"]);
    expect(await places(scene, machines[0])).toEqual(["a"]);
    await setModes(scene, "a", "maintenance");
    expect(await places(scene, machines[0]), "it waits there").toEqual(["a"]);
    await setModes(scene, "a", "sealed");
    expect(await places(scene, machines[0])).toEqual(["b", "a"]);
    const { bundle } = await scene.read(machines[0]);
    const policy = bundle.policies.get("documents");
    const [former] = policy?.former ?? [];
    expect(bundle.secret(former?.passwordSecret ?? "")).toHaveLength(43);
    expect(former?.passwordSecret).not.toBe(policy?.policy.encryption.password.secret);
    await setModes(scene, "a");
    expect(await places(scene, machines[0]), "nothing moves back").toEqual(["b", "a"]);
    await setModes(scene, "a", "sealed");
    await setModes(scene, "b", "sealed");
    expect(await places(scene, machines[0]), "there is no other").toEqual(["b", "a"]);
  });

  it("tell machines what was decided, under numbers that rise, and who it waits for", async () => {
    const { scene, machines } = await sceneOf(["pc1"]);
    await places(scene, machines[0]);
    expect(await named(scene, "a")).toMatchObject({ modes: [], standNumber: 0, pending: 0 });
    const first = await setModes(scene, "a", "sealed", "maintenance");
    expect(first).toMatchObject({ modes: ["maintenance", "sealed"], machines: 1, pending: 1 });
    const { bundle } = await scene.read(machines[0]);
    expect(bundle.destinations.get(first.id)?.stand).toEqual({
      modes: ["maintenance", "sealed"],
      number: first.standNumber,
    });
    await tell(machines[0], first.id, first.standNumber, true);
    expect((await named(scene, "a")).pending, "a session runs there").toBe(1);
    await tell(machines[0], first.id, first.standNumber, false);
    expect((await named(scene, "a")).pending).toBe(0);
    const second = await setModes(scene, "a");
    expect(second).toMatchObject({ modes: [], pending: 1 });
    expect(second.standNumber).toBeGreaterThan(first.standNumber);
    expect((await setModes(scene, "a")).standNumber, "nothing new").toBe(second.standNumber);
  });

  it("consist of repositories with routes, which stay while machines store there", async () => {
    const { scene, machines } = await sceneOf(["pc1"]);
    await places(scene, machines[0]);
    const pool = await named(scene, "pool");
    const refused = async (settings: object, code: string): Promise<void> => {
      const given = { name: "pool", routes: [], quotas: {}, ...settings };
      const change = scene.repositories.replace(actor, null, pool.id, pool.version, given);
      await expect(change).rejects.toMatchObject({ code });
    };
    await refused({ members: ["b"] }, "RESOURCE_IN_USE");
    await refused({ members: ["a", "none"] }, "RESOURCE_INVALID");
    await refused({ members: ["a", "a"] }, "RESOURCE_INVALID");
    await refused({ members: ["a", "pool"] }, "RESOURCE_INVALID");
    await refused({ modes: ["sealed"] }, "RESOURCE_INVALID");
    await refused({ routes: [{ kind: "gateway" }] }, "RESOURCE_INVALID");
    await refused({ members: [], routes: [{ kind: "gateway" }] }, "RESOURCE_STATE");
    const a = await named(scene, "a");
    await expect(scene.repositories.remove(actor, null, a.id, a.version)).rejects.toMatchObject({
      code: "RESOURCE_IN_USE",
      context: { pool: "pool" },
    });
    await scene.repositories.refresh(actor, { isAnew: true });
    expect(await named(scene, "pool")).toMatchObject({ epoch: 0, unsigned: null, isUsable: true });
  });
});
