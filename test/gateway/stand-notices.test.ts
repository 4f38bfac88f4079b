/** What was decided about a repository comes to lie, signed, beside the data of each machine. */
import { randomUUIDv7 } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { type RepositoryModes, stateObjectName } from "../../protocol/control/repository-stand.ts";
import { repositoryStateDocument } from "../../protocol/control/repository-state.ts";
import { signDocument, verifyDocument } from "../../protocol/control/signed-document.ts";
import { StandNotices } from "../../server/gateway/stand-notices.ts";
import { openStore } from "../../storage/open-store.ts";
import { actor, BundleScene, documentOf, sceneTenant } from "../bundles/bundle-scene.ts";
import { FakeGoogle } from "../object-storage/google-fake/fake-google.ts";
import { eachGround } from "../server/test-ground.ts";

const never = new AbortController().signal;

eachGround("decisions about repositories", (ground) => {
  const noticesOf = (scene: BundleScene): StandNotices =>
    new StandNotices({
      ground: ground(),
      environment: {},
      sign: async (document) => {
        const key = (await scene.keys.ring()).signer("policy");
        if (key === undefined) throw new Error("there is no key");
        return signDocument("repository-state", document, key);
      },
    });

  it("are put beside what each machine has stored, once each, and counted", async () => {
    const scene = await BundleScene.make(ground());
    const tenantId = randomUUIDv7();
    await scene.addTenant(tenantId);
    const routes = [{ kind: "gateway" as const }];
    const main = { name: "main", routes, quotas: {} };
    const { id } = await scene.repositories.create(actor, tenantId, main);
    const machines = [randomUUIDv7(), randomUUIDv7()].toSorted();
    await scene.addMachines(machines, tenantId);
    await scene.policies.create(actor, tenantId, scene.settings(machines));
    for (const machine of machines) await scene.bundles.current(machine, { serial: 0 });
    const notices = noticesOf(scene);
    const decide = async (...modes: RepositoryModes): Promise<number> => {
      const { version } = await scene.repositories.get(null, id);
      const settings = { ...main, modes };
      const { standNumber } = await scene.repositories.replace(actor, null, id, version, settings);
      await notices.look();
      return standNumber;
    };
    const folder = path.join(
      ground().settings.dataFolder,
      "repositories",
      tenantId,
      id,
      machines[0] ?? "",
    );
    const stored = (): string[] => readdirSync(path.join(folder, "backstay"));
    await notices.look();
    mkdirSync(path.join(folder, "backstay"), { recursive: true });
    writeFileSync(path.join(folder, "config"), "x");
    const sealed = await decide("sealed");
    expect(stored()).toEqual([`repository-state.00${sealed}`]);
    const text = readFileSync(
      path.join(folder, "backstay", `repository-state.00${sealed}`),
      "utf8",
    );
    const keys = (await scene.keys.ring()).known("policy");
    const read = { type: "repository-state", schema: repositoryStateDocument, keys } as const;
    expect(verifyDocument(text, read)).toMatchObject({
      tenantId,
      repositoryId: id,
      modes: ["sealed"],
      number: sealed,
    });
    const counted = async (): Promise<unknown> =>
      await ground()
        .database.selectFrom("machine_repositories")
        .select(["agent_id", "stored_stand", "stored_bytes", "stored_objects"])
        .orderBy("agent_id")
        .execute();
    const once = [
      { agent_id: machines[0], stored_stand: sealed, stored_bytes: text.length, stored_objects: 1 },
      { agent_id: machines[1], stored_stand: 0, stored_bytes: 0, stored_objects: 0 },
    ];
    expect(await counted()).toEqual(once);
    await notices.look();
    expect(await counted(), "nothing is told twice").toEqual(once);
    const open = await decide();
    expect(stored()).toEqual([sealed, open].map((number) => `repository-state.00${number}`));
  });

  it("are put into an object storage with the server's account, when it can be reached", async () => {
    const google = await FakeGoogle.start();
    try {
      google.bucket("fleet");
      const scene = await BundleScene.make(ground());
      const account = `STORAGE_EMULATOR_HOST=${google.url}`;
      await scene.secrets.put(actor, sceneTenant, "cloud", Buffer.from(account));
      const routes = [
        { kind: "direct" as const, url: "gs:fleet:/{tenant}/{agent}", secret: "cloud" },
      ];
      const settings = { name: "cloud", routes, quotas: {} };
      const { id, version } = await scene.repositories.create(actor, sceneTenant, settings);
      const machine = await scene.addMachine("pc1");
      const document = {
        ...documentOf("documents", ["/a"]),
        destination: { repository: "backstay:cloud" },
      };
      await scene.policies.create(actor, sceneTenant, scene.settings(["pc1"], document));
      await scene.read(machine);
      const closed = { ...settings, modes: ["maintenance" as const] };
      const { standNumber } = await scene.repositories.replace(actor, null, id, version, closed);
      const notices = noticesOf(scene);
      const stored = async (): Promise<unknown> =>
        await ground()
          .database.selectFrom("machine_repositories")
          .select(["stored_stand", "stored_objects"])
          .executeTakeFirst();
      await notices.look();
      expect(await stored(), "nothing is there yet").toEqual({
        stored_stand: 0,
        stored_objects: 0,
      });
      const place = `gs:fleet:/${sceneTenant}/pc1`;
      const store = openStore(place, { environment: { STORAGE_EMULATOR_HOST: google.url } });
      await store.save({ type: "config", name: "" }, Buffer.from("x"), never);
      await notices.look();
      const names: string[] = [];
      for await (const { name } of store.list("backstay", never)) names.push(name);
      await store.close();
      expect(names).toEqual([stateObjectName(standNumber)]);
      // Only what a gateway keeps is counted.
      const told = { stored_stand: standNumber, stored_objects: 0 };
      expect(await stored()).toEqual(told);
      await scene.repositories.replace(actor, null, id, version + 1, { ...settings, modes: [] });
      await google.stop();
      await notices.look();
      expect(await stored(), "it is tried again").toEqual(told);
      expect(ground().logged.join("\n")).toContain("could not be told of a decision");
    } finally {
      await google.stop();
    }
  });
});
