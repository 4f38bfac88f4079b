/** A repository's routes are replaced: the old ones stay until every machine has said that it goes by the new. */
import { expect, it } from "vitest";
import type { AgentStatus } from "../../protocol/control/reports.ts";
import type { RepositoryRoute } from "../../protocol/control/repository-route.ts";
import { keepBundlesCurrent } from "../../server/bundles/bundle-upkeep.ts";
import type { Repository } from "../../server/bundles/repositories.ts";
import { endRetiring } from "../../server/bundles/retiring-routes.ts";
import { StatusInbox } from "../../server/reports/status-inbox.ts";
import { machineStatus } from "../server/machine-status.ts";
import { eachGround } from "../server/test-ground.ts";
import { actor, BundleScene, type SceneMachine, sceneTenant } from "./bundle-scene.ts";

const all = { after: null, limit: 100 };
const bucket: RepositoryRoute = {
  kind: "direct",
  url: "s3:s3.example/b/{agent}",
  secret: "account",
};
const gateway: RepositoryRoute = { kind: "gateway" };

eachGround("routes that are replaced", (ground) => {
  const main = async (scene: BundleScene): Promise<Repository> =>
    (await scene.repositories.list(null, all))[0];
  const move = async (scene: BundleScene, ...routes: RepositoryRoute[]): Promise<Repository> => {
    const before = await main(scene);
    const { name, quotas } = before;
    const settings = { name, quotas, routes };
    return await scene.repositories.replace(actor, null, before.id, before.version, settings);
  };
  /** The machine says what it goes by: all of its newest bundle, or what is given. */
  const confirm = async (
    scene: BundleScene,
    machine: SceneMachine,
    given?: AgentStatus["destinations"],
  ): Promise<void> => {
    const { bundle } = await scene.read(machine);
    const obeyed = [...bundle.destinations.values()].map(({ repositoryId, epoch }) => ({
      repositoryId,
      epoch,
    }));
    await new StatusInbox(ground()).take(
      { id: machine.id, tenantId: sceneTenant },
      machineStatus({ destinations: given ?? obeyed }),
    );
  };
  const sceneOf = async (): Promise<{ scene: BundleScene; machines: SceneMachine[] }> => {
    const scene = await BundleScene.make(ground());
    await scene.secrets.put(actor, sceneTenant, "account", Buffer.from("AWS_ACCESS_KEY_ID=x"));
    const machines = await scene.addMachines(["pc1", "pc2"]);
    await scene.policies.create(actor, sceneTenant, scene.settings(["pc1", "pc2"]));
    await move(scene, bucket);
    // Nobody had the first route yet: nobody holds it back.
    await keepBundlesCurrent(ground(), scene.repositories);
    for (const machine of machines) await confirm(scene, machine);
    return { scene, machines };
  };
  const retiring = async (scene: BundleScene): Promise<unknown[]> =>
    (await main(scene)).retiring.map(({ route, unconfirmed }) => [route, unconfirmed]);

  it("keeps the old one, and its secret, until all active machines have confirmed", async () => {
    const { scene, machines } = await sceneOf();
    expect(await retiring(scene)).toEqual([]);
    const { epoch } = await main(scene);
    expect((await move(scene, gateway)).retiring).toMatchObject([
      { route: bucket, unconfirmed: 2, epoch: (await main(scene)).epoch },
    ]);
    await confirm(scene, machines[0]);
    // A session that still runs holds the machine to what it began with.
    const { id } = await main(scene);
    await confirm(scene, machines[1], [{ repositoryId: id, epoch }]);
    await keepBundlesCurrent(ground(), scene.repositories);
    expect(await retiring(scene)).toEqual([[bucket, 1]]);
    const [secret] = await scene.secrets.list(null, all, { name: "account" });
    const remove = async (): Promise<void> =>
      await scene.secrets.remove(actor, null, secret?.id ?? "");
    await expect(remove()).rejects.toMatchObject({ code: "RESOURCE_IN_USE" });
    await confirm(scene, machines[1]);
    expect(await retiring(scene)).toEqual([[bucket, 0]]);
    const { revision } = await ground()
      .database.selectFrom("tenants")
      .select("revision")
      .executeTakeFirstOrThrow();
    await keepBundlesCurrent(ground(), scene.repositories);
    expect(await retiring(scene)).toEqual([]);
    await remove();
    const ended = await ground()
      .database.selectFrom("audit")
      .select(["actor", "details"])
      .where("action", "=", "repository.retire-route")
      .execute();
    expect(ended.at(-1)?.actor).toBe("server");
    expect(JSON.parse(ended.at(-1)?.details ?? "")).toMatchObject({ unconfirmed: 0 });
    const after = await ground()
      .database.selectFrom("tenants")
      .select("revision")
      .executeTakeFirstOrThrow();
    expect(after.revision, "no machine gets another bundle for that").toBe(revision);
  });

  it("does not wait for machines that are not active, or whose policies name it no more", async () => {
    const { scene, machines } = await sceneOf();
    await move(scene, gateway);
    await ground()
      .database.updateTable("agents")
      .set({ status: "suspended" })
      .where("id", "=", "pc1")
      .execute();
    expect(await retiring(scene)).toEqual([[bucket, 1]]);
    await confirm(scene, machines[1], []);
    expect(await retiring(scene)).toEqual([[bucket, 0]]);
  });

  it("ends at once when an administrator says so, and is usable again when it comes back", async () => {
    const { scene } = await sceneOf();
    const { id } = await move(scene, gateway);
    await expect(endRetiring(ground(), actor, "other", id)).rejects.toMatchObject({
      code: "RESOURCE_UNKNOWN",
    });
    await move(scene, gateway, bucket);
    expect(await retiring(scene), "in use again").toEqual([]);
    await move(scene, { kind: "gateway", url: "https://gateway.example" });
    expect(await retiring(scene)).toEqual([
      [gateway, 2],
      [bucket, 2],
    ]);
    await endRetiring(ground(), actor, sceneTenant, id);
    expect(await retiring(scene)).toEqual([]);
    const audit = await ground()
      .database.selectFrom("audit")
      .select(["actor", "details"])
      .where("action", "=", "repository.retire-route")
      .where("actor", "=", actor)
      .execute();
    expect(audit.map(({ details }) => JSON.parse(details) as unknown)).toEqual([
      { name: "main", routes: `gateway, direct ${bucket.url}`, unconfirmed: 2 },
    ]);
  });
});
