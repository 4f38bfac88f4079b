import { expect, it } from "vitest";
import { privateKeyOf } from "../../protocol/control/curve-keys.ts";
import { signDestination } from "../../protocol/control/offline-signing.ts";
import { unverifiedContent } from "../../protocol/control/signed-document.ts";
import {
  actor,
  BundleScene,
  documentOf,
  type SceneMachine,
  sceneTenant,
} from "../../test/bundles/bundle-scene.ts";
import { makeSigningKey } from "../../test/bundles/signed-bundles.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { keepBundlesCurrent } from "./bundle-upkeep.ts";
import type { Repository } from "./repositories.ts";
import { SigningKeys } from "./signing-keys.ts";

const all = { after: null, limit: 100 };

eachGround("repositories and the keys that sign them", (ground) => {
  const sceneWithMachine = async (): Promise<{ scene: BundleScene; machine: SceneMachine }> => {
    const scene = await BundleScene.make(ground());
    const machine = await scene.addMachine("pc1");
    await scene.policies.create(actor, sceneTenant, scene.settings([machine.id]));
    return { scene, machine };
  };
  const main = async (scene: BundleScene): Promise<Repository> =>
    (await scene.repositories.list(null, all))[0];
  const moved = async (scene: BundleScene): Promise<Repository> => {
    const before = await main(scene);
    return await scene.repositories.replace(actor, null, before.id, before.version, {
      ...before,
      routes: [{ kind: "direct", url: "/mnt/other" }],
    });
  };
  const place = async (scene: BundleScene, machine: SceneMachine): Promise<string> => {
    const [destination] = [...(await scene.read(machine)).bundle.destinations.values()];
    return destination.routes[0]?.repository ?? "";
  };
  const destinationKey = async (scene: BundleScene): Promise<string> => {
    const keys = await scene.keys.list();
    return (
      keys.findLast(({ role, state }) => role === "destination" && state === "active")?.id ?? ""
    );
  };

  it("with the destination key kept offline, a change waits until its holder has signed it", async () => {
    const { scene, machine } = await sceneWithMachine();
    const keyId = await destinationKey(scene);
    const seed = await scene.keys.exportDestinationKey(actor, keyId);
    await scene.keys.removePrivateHalf(actor, keyId);
    await expect(scene.keys.exportDestinationKey(actor, keyId)).rejects.toMatchObject({
      code: "RESOURCE_STATE",
    });
    const waiting = await moved(scene);
    expect(waiting.unsigned?.routes).toEqual([{ kind: "direct", url: "/mnt/other" }]);
    expect(await place(scene, machine)).toMatch(/^rest:/);
    const { id } = waiting;
    const accept = async (jws: string): Promise<unknown> =>
      await scene.repositories.acceptSignature(actor, null, id, jws);
    const key = { id: keyId, privateKey: privateKeyOf("ed25519", seed) };
    const other = { ...waiting.unsigned, routes: [{ kind: "direct", url: "/mnt/evil" }] };
    await expect(accept(signDestination(other, key))).rejects.toMatchObject({
      code: "RESOURCE_INVALID",
    });
    const forged = signDestination(waiting.unsigned, makeSigningKey(keyId));
    await expect(accept(forged)).rejects.toMatchObject({ code: "SIGNED_BADLY" });
    await accept(signDestination(waiting.unsigned, key));
    expect((await main(scene)).unsigned).toBeNull();
    expect(await place(scene, machine)).toBe("/mnt/other");
    await expect(accept(signDestination(waiting.unsigned, key))).rejects.toMatchObject({
      code: "RESOURCE_STATE",
    });
  });

  it("a repository that was never signed can't be used by policies", async () => {
    const { scene } = await sceneWithMachine();
    await scene.keys.removePrivateHalf(actor, await destinationKey(scene));
    const { create } = scene.repositories;
    const settings = { name: "second", routes: [{ kind: "gateway" as const }], quotas: {} };
    const second = await create.call(scene.repositories, actor, sceneTenant, settings);
    expect(second.isUsable).toBe(false);
    const document = {
      ...documentOf("more", ["/a"]),
      destination: { repository: "backstay:second" },
    };
    await expect(
      scene.policies.create(actor, sceneTenant, scene.settings([], document)),
    ).rejects.toMatchObject({ code: "RESOURCE_INVALID" });
  });

  it("after a change of destination keys all is signed anew, and then the old key can be retired", async () => {
    const { scene, machine } = await sceneWithMachine();
    const old = await destinationKey(scene);
    const before = (await scene.read(machine)).bundle;
    await scene.keys.rotate(actor, "destination");
    expect((await scene.read(machine)).bundle.serial).toBeGreaterThan(before.serial);
    await expect(scene.keys.retire(actor, old)).rejects.toMatchObject({ code: "RESOURCE_IN_USE" });
    expect(await scene.repositories.refresh("server")).toBe(1);
    expect(await scene.repositories.refresh("server")).toBe(0);
    await scene.keys.retire(actor, old);
    const { bundle } = await scene.read(machine);
    expect(bundle.trust.roles.destination.map(({ id }) => id)).toEqual([
      await destinationKey(scene),
    ]);
    expect(bundle.trust.version).toBeGreaterThan(before.trust.version);
  });

  it("after a change of policy keys the old one is believed until it is retired", async () => {
    const { scene, machine } = await sceneWithMachine();
    const [old] = (await scene.read(machine)).bundle.trust.roles.policy;
    await scene.keys.rotate(actor, "policy");
    const { trust } = (await scene.read(machine)).bundle;
    expect(trust.roles.policy).toHaveLength(2);
    await scene.keys.retire(actor, old.id);
    expect((await scene.read(machine)).bundle.trust.roles.policy).toEqual([trust.roles.policy[0]]);
    await expect(scene.keys.retire(actor, trust.roles.policy[0].id)).rejects.toMatchObject({
      code: "RESOURCE_STATE",
    });
    await expect(scene.keys.retire(actor, "root")).rejects.toMatchObject({
      code: "RESOURCE_STATE",
    });
  });

  it("replicas that start together agree on one set of keys", async () => {
    const replicas = [1, 2, 3].map(() => new SigningKeys(ground()));
    await Promise.all(replicas.map(async (keys) => await keys.prepare()));
    const keys = await replicas[0].list();
    expect(keys.map(({ role }) => role).toSorted()).toEqual(["destination", "policy", "root"]);
  });

  it("follow the addresses and pins of the server", async () => {
    const { scene, machine } = await sceneWithMachine();
    const pin = `sha256/${"A".repeat(43)}`;
    const settings = { ...ground().settings, publicUrls: ["https://new.example"], pins: [pin] };
    const moving = new BundleScene({ ...ground(), settings });
    await keepBundlesCurrent(moving.ground, moving.repositories);
    const { bundle } = await moving.read(machine);
    expect(bundle.server).toEqual({ urls: ["https://new.example"], pins: [pin] });
    expect([...bundle.destinations.values()][0]?.routes[0]).toMatchObject({
      repository: expect.stringContaining("rest:https://new.example/gateway/") as string,
      pins: [pin],
    });
    const { revision } = await ground()
      .database.selectFrom("tenants")
      .select("revision")
      .executeTakeFirstOrThrow();
    await keepBundlesCurrent(moving.ground, moving.repositories);
    const { revision: after } = await ground()
      .database.selectFrom("tenants")
      .select("revision")
      .executeTakeFirstOrThrow();
    expect(after).toBe(revision);
    expect(scene.ground.settings.pins).toEqual([]);
  });

  it("what is in use is not removed, and its name stays", async () => {
    const { scene } = await sceneWithMachine();
    const repository = await main(scene);
    const { repositories } = scene;
    const { id, version } = repository;
    await expect(repositories.remove(actor, null, id, version)).rejects.toMatchObject({
      code: "RESOURCE_IN_USE",
    });
    await expect(
      repositories.replace(actor, null, id, version, { ...repository, name: "x" }),
    ).rejects.toMatchObject({ code: "RESOURCE_IN_USE" });
    const quotas = { storedBytesMax: 5 };
    const changed = await repositories.replace(actor, null, id, version, { ...repository, quotas });
    expect(changed).toMatchObject({ quotas, epoch: repository.epoch, version: version + 1 });
    await expect(repositories.replace(actor, null, id, version, repository)).rejects.toMatchObject({
      code: "RESOURCE_CHANGED",
    });
    await expect(repositories.get("another tenant", id)).rejects.toMatchObject({
      code: "RESOURCE_UNKNOWN",
    });
  });

  it("policies that no machine could take are refused with the place of the mistake", async () => {
    const { scene } = await sceneWithMachine();
    const refused = async (document: Record<string, unknown>): Promise<unknown> =>
      await scene.policies
        .create(actor, sceneTenant, scene.settings([], document))
        .catch((error: { context: unknown }) => error.context);
    const good = documentOf("more", ["/a"]);
    expect(await refused({ ...good, source: { paths: ["a"] } })).toMatchObject({
      field: "source.paths.0",
    });
    expect(await refused({ ...good, destination: { repository: "/mnt/x" } })).toMatchObject({
      field: "destination.repository",
    });
    expect(await refused({ ...good, destination: { repository: "backstay:none" } })).toMatchObject({
      problem: expect.stringContaining("none") as string,
    });
    expect(await refused(documentOf("more", ["/a"], "missing"))).toMatchObject({
      problem: expect.stringContaining("missing") as string,
    });
    const cron = { timers: [{ every: "cron", expression: "61 * * * *" }] };
    expect(await refused({ ...good, schedule: cron })).toMatchObject({
      field: expect.stringContaining("schedule.timers") as string,
    });
    expect(await refused(documentOf("documents", ["/a"]))).toMatchObject({ policy: "documents" });
  });

  it("secrets are listed without values, kept while they are used, and reserved names are refused", async () => {
    const { scene, machine } = await sceneWithMachine();
    const { secrets } = scene;
    const one = await secrets.put(actor, sceneTenant, "one", Buffer.from("1"));
    expect(await secrets.put(actor, sceneTenant, "one", Buffer.from("1"))).toEqual(one);
    expect(one).toMatchObject({ name: "one", hasPrevious: false, version: 1 });
    const again = await secrets.put(actor, sceneTenant, "one", Buffer.from("2"));
    expect(again).toMatchObject({ hasPrevious: true, version: 2, id: one.id });
    const settings = scene.settings([machine.id], documentOf("more", ["/m"], "one"));
    await scene.policies.create(actor, sceneTenant, settings);
    await expect(secrets.remove(actor, null, one.id)).rejects.toMatchObject({
      code: "RESOURCE_IN_USE",
    });
    for (const name of ["automatic", "automatic-x", "Not A Name", ""])
      await expect(secrets.put(actor, sceneTenant, name, Buffer.from("x"))).rejects.toMatchObject({
        code: "RESOURCE_INVALID",
      });
    await expect(secrets.get("another tenant", one.id)).rejects.toMatchObject({
      code: "RESOURCE_UNKNOWN",
    });
  });

  it("what waits is readable for its holder", async () => {
    const { scene } = await sceneWithMachine();
    const key = makeSigningKey("x");
    const { name } = await main(scene);
    await scene.keys.removePrivateHalf(actor, await destinationKey(scene));
    const { unsigned } = await moved(scene);
    expect(unverifiedContent(signDestination(unsigned, key))).toMatchObject({ name });
    expect(() => signDestination({ type: "destination" }, key)).toThrow("signed well");
  });
});
