/** What the gateway keeps a repository in: who may name what, and that no data is left behind. */
import { expect, it } from "vitest";
import type { RepositoryRoute } from "../../protocol/control/repository-route.ts";
import { actor, BundleScene, sceneTenant } from "../../test/bundles/bundle-scene.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { type DataMoves, Repositories, type RepositorySettings } from "./repositories.ts";

const storage = { url: "s3:https://s3.example/backups", secret: "account" };
const routed = (...routes: RepositoryRoute[]): RepositorySettings => ({
  name: "cloud",
  routes,
  quotas: {},
});

eachGround("a repository in an object storage", (ground) => {
  it("needs its secret, which is then in use, and one storage for all its gateways", async () => {
    const { repositories, secrets } = await BundleScene.make(ground());
    const gateway = { kind: "gateway" as const, storage };
    await expect(repositories.create(actor, sceneTenant, routed(gateway))).rejects.toMatchObject({
      code: "RESOURCE_INVALID",
      context: { secret: "account" },
    });
    const secret = await secrets.put(actor, sceneTenant, "account", Buffer.from("A=b"));
    const elsewhere = { kind: "gateway" as const, url: "https://two.example" };
    await expect(
      repositories.create(actor, sceneTenant, routed(gateway, elsewhere)),
    ).rejects.toMatchObject({ code: "RESOURCE_INVALID" });
    const made = await repositories.create(
      actor,
      sceneTenant,
      routed(gateway, { ...elsewhere, storage }),
    );
    expect(made.routes[0]).toEqual(gateway);
    await expect(secrets.remove(actor, null, secret.id)).rejects.toMatchObject({
      code: "RESOURCE_IN_USE",
    });
  });

  it("is not told to machines, so that a change of it needs no signature", async () => {
    const scene = await BundleScene.make(ground());
    const machine = await scene.addMachine("pc1");
    await scene.secrets.put(actor, sceneTenant, "account", Buffer.from("A=b"));
    const [main] = await scene.repositories.list(null, { after: null, limit: 1 });
    await scene.policies.create(actor, sceneTenant, scene.settings([machine.id]));
    const asked: (string | undefined)[] = [];
    const moves: DataMoves = {
      requireMoved: async (_id, wanted) => void asked.push(wanted?.url),
    };
    const repositories = new Repositories(ground(), scene.keys, moves);
    const changed = await repositories.replace(actor, null, main.id, main.version, {
      ...main,
      routes: [{ kind: "gateway", storage }],
    });
    expect(changed.epoch).toBe(main.epoch);
    const { bundle } = await scene.read(machine);
    expect(JSON.stringify([...bundle.destinations.values()])).not.toContain("s3.example");
    expect(bundle.secretNames).not.toContain("account");
    expect(asked).toEqual([storage.url]);
    // Another account for the same place is no move, and leaving the gateway none either.
    const same = await repositories.replace(actor, null, main.id, changed.version, {
      ...main,
      routes: [{ kind: "gateway", storage: { url: storage.url } }],
    });
    await repositories.replace(actor, null, main.id, same.version, {
      ...main,
      routes: [{ kind: "direct", url: "s3:https://s3.example/backups" }],
    });
    expect(asked).toEqual([storage.url]);
  });

  it("does not change when its data is not there, or nobody can look", async () => {
    const scene = await BundleScene.make(ground());
    const [main] = await scene.repositories.list(null, { after: null, limit: 1 });
    const settings = {
      ...main,
      routes: [{ kind: "gateway" as const, storage: { url: storage.url } }],
    };
    await expect(
      scene.repositories.replace(actor, null, main.id, main.version, settings),
    ).rejects.toMatchObject({ code: "RESOURCE_STATE" });
    expect(await scene.repositories.get(null, main.id)).toMatchObject({ version: main.version });
  });
});
