import { expect, it } from "vitest";
import {
  actor,
  BundleScene,
  documentOf,
  type SceneMachine,
  sceneTenant,
} from "../../test/bundles/bundle-scene.ts";
import { eachGround } from "../../test/server/test-ground.ts";

const dayMs = 86_400_000;

eachGround("bundles", (ground) => {
  const sceneWith = async (
    policies: readonly Record<string, unknown>[] = [documentOf("documents", ["/a", "/b"])],
  ): Promise<{ scene: BundleScene; machine: SceneMachine }> => {
    const scene = await BundleScene.make(ground());
    const machine = await scene.addMachine("pc1");
    for (const document of policies)
      await scene.policies.create(actor, sceneTenant, scene.settings([machine.id], document));
    return { scene, machine };
  };

  it("hold what a machine needs, sealed to it, and are verified by the agent's own rules", async () => {
    const { scene, machine } = await sceneWith();
    const { bundle } = await scene.read(machine);
    const [{ id }] = await scene.repositories.list(null, { after: null, limit: 9 });
    expect(bundle.policies.get("documents")).toMatchObject({
      managedBy: "agent",
      policyVersion: 1,
      repositoryId: id,
      policy: { encryption: { password: { secret: `automatic-${id}` } } },
    });
    expect(bundle.destinations.get(id)?.routes).toEqual([
      {
        kind: "gateway",
        repository: `rest:https://backup.example/gateway/${id}/pc1/`,
        user: "pc1",
        passwordSecret: `gateway:${id}`,
        pins: [],
      },
    ]);
    expect(bundle.secret(`gateway:${id}`)?.toString()).toMatch(/^[\w-]{43}$/);
    expect(bundle.secret(`automatic-${id}`)?.toString()).toMatch(/^[\w-]{43}$/);
    expect(bundle).toMatchObject({
      serial: Math.floor(ground().now() / 1000),
      intent: "normal",
      entitlement: { licenceId: "community" },
      server: { urls: ["https://backup.example"] },
    });
  });

  it("never hold the account with which the server makes others, whoever names it", async () => {
    const { scene, machine } = await sceneWith();
    await scene.secrets.put(actor, sceneTenant, "cloud", Buffer.from("AWS_SECRET_ACCESS_KEY=root"));
    const [{ id, version }] = await scene.repositories.list(null, { after: null, limit: 9 });
    const address = "s3:https://s3.example/bucket/{tenant}/{agent}";
    const change = async (at: number, route: object): Promise<void> => {
      const routes = [{ kind: "direct" as const, url: address, secret: "cloud", ...route }];
      const settings = { name: "main", routes, quotas: {} };
      await scene.repositories.replace(actor, null, id, at, settings);
    };
    await change(version, {});
    const named = await scene.read(machine);
    expect(named.bundle.secret("cloud")?.toString()).toBe("AWS_SECRET_ACCESS_KEY=root");
    await change(version + 1, { issuer: { kind: "s3-sts", durationSeconds: 3600 } });
    const { bundle } = await scene.read(machine, named.bundle.serial);
    expect(bundle.secretNames).toEqual([`automatic-${id}`]);
    expect(bundle.destinations.get(id)?.routes).toEqual([
      {
        kind: "direct",
        repository: `s3:https://s3.example/bucket/${sceneTenant}/pc1`,
        credentialsSecret: undefined,
        isIssued: true,
      },
    ]);
    const document = {
      ...documentOf("mails", ["/a"]),
      notifications: { mail: { server: "m", from: "a", to: ["b"], password: { secret: "cloud" } } },
    };
    const settings = scene.settings([machine.id], document);
    const refused = { code: "RESOURCE_INVALID", context: { secret: "cloud" } };
    const policy = scene.policies.create(actor, sceneTenant, settings);
    await expect(policy).rejects.toMatchObject(refused);
    const routes = [{ kind: "direct" as const, url: "s3:https://other/bucket", secret: "cloud" }];
    const other = { name: "other", routes, quotas: {} };
    const repository = scene.repositories.create(actor, sceneTenant, other);
    await expect(repository).rejects.toMatchObject(refused);
  });

  it("take no class of packs for a gateway's storage that can't be read at once", async () => {
    const { scene } = await sceneWith();
    const create = async (url: string, storageClass: string): Promise<unknown> =>
      await scene.repositories.create(actor, sceneTenant, {
        name: "cool",
        routes: [{ kind: "gateway", storage: { url, storageClass } }],
        quotas: {},
      });
    const problem = expect.stringContaining("can't be read at once");
    const refused = { code: "RESOURCE_INVALID", context: { field: "routes", problem } };
    await expect(create("s3:https://s3.example/b", "DEEP_ARCHIVE")).rejects.toMatchObject(refused);
    await expect(create("azure:box:/", "Archive")).rejects.toMatchObject(refused);
    expect(await create("s3:https://s3.example/b", "GLACIER_IR")).toMatchObject({ name: "cool" });
  });

  it("stay as they are while nothing changes in meaning", async () => {
    const { scene, machine } = await sceneWith();
    const first = await scene.bundles.current(machine.id, { serial: 0 });
    expect(await scene.bundles.current(machine.id, { serial: first.serial })).toEqual(first);
    // Touches the tenant, but nothing that this machine gets.
    const other = await scene.addMachine("pc2");
    await scene.policies.create(
      actor,
      sceneTenant,
      scene.settings([other.id], documentOf("x", ["/x"])),
    );
    expect(await scene.bundles.current(machine.id, { serial: first.serial })).toEqual(first);
    expect(await scene.anotherReplica().current(machine.id, { serial: 0 })).toEqual(first);
  });

  it("get a new serial when a policy, a secret, a destination or a licence changes", async () => {
    const { scene, machine } = await sceneWith();
    await scene.secrets.put(actor, sceneTenant, "mail", Buffer.from("one"));
    const changes: (() => Promise<unknown>)[] = [
      async () => {
        const [policy] = await scene.policies.list(null, { after: null, limit: 1 });
        const document = {
          ...documentOf("documents", ["/a", "/b", "/c"]),
          notifications: {
            mail: { server: "m", from: "a", to: ["b"], password: { secret: "mail" } },
          },
        };
        const settings = scene.settings([machine.id], document);
        await scene.policies.replace(actor, null, policy.id, policy.version, settings);
      },
      async () => await scene.secrets.put(actor, sceneTenant, "mail", Buffer.from("two")),
      async () => {
        const [repository] = await scene.repositories.list(null, { after: null, limit: 1 });
        await scene.repositories.replace(actor, null, repository.id, repository.version, {
          ...repository,
          routes: [{ kind: "gateway" }, { kind: "direct", url: "/mnt/backup/{agent}" }],
        });
      },
      async () => await scene.keys.rotate(actor, "policy"),
    ];
    let before = await scene.bundles.current(machine.id, { serial: 0 });
    for (const change of changes) {
      await change();
      const { bundle } = await scene.read(machine, before.serial);
      expect(bundle.serial).toBeGreaterThan(before.serial);
      before = bundle;
    }
    expect(before).toMatchObject({ intent: "normal" });
    const { bundle } = await scene.read(machine);
    expect(bundle.secret("mail")?.toString()).toBe("two");
    expect([...bundle.destinations.values()][0]?.routes[1]).toMatchObject({
      repository: "/mnt/backup/pc1",
    });
  });

  it("are numbered above all that the machine reports: a server restored from yesterday goes on above", async () => {
    const { scene, machine } = await sceneWith();
    const { serial } = await scene.bundles.current(machine.id, { serial: 0 });
    const later = await scene.bundles.current(machine.id, { serial: serial + 1000 });
    expect(later.serial).toBe(serial + 1001);
    expect((await scene.bundles.current(machine.id, { serial: later.serial })).serial).toBe(
      later.serial,
    );
    // The same serial with another content: that was another line of history.
    const hash = "0".repeat(64);
    const other = await scene.bundles.current(machine.id, { serial: later.serial, hash });
    expect(other.serial).toBe(later.serial + 1);
    // What no clock can have made is not believed.
    const absurd = await scene.bundles.current(machine.id, { serial: Number.MAX_SAFE_INTEGER });
    expect(absurd.serial).toBe(other.serial);
  });

  it("are issued anew before a machine would call them old", async () => {
    const { scene, machine } = await sceneWith();
    const first = (await scene.read(machine)).bundle;
    ground().advance(15 * dayMs);
    const second = (await scene.read(machine, first.serial)).bundle;
    expect(second.serial).toBeGreaterThan(first.serial);
    expect(second.refreshByMs).toBeGreaterThan(first.refreshByMs);
  });

  it("are the same from all replicas, however many ask at once", async () => {
    const { scene, machine } = await sceneWith();
    const replicas = [scene.bundles, scene.anotherReplica(), scene.anotherReplica()];
    for (let round = 0; round < 4; round += 1) {
      await scene.secrets.put(actor, sceneTenant, "any", Buffer.from(`${round}`));
      const answers = await Promise.all(
        [...replicas, ...replicas].map(
          async (replica) => await replica.current(machine.id, { serial: 0, hash: undefined }),
        ),
      );
      expect(new Set(answers.map(({ serial, hash }) => `${serial} ${hash}`)).size).toBe(1);
    }
  });

  it("keep the account and password of a machine in a repository for ever", async () => {
    const { scene, machine } = await sceneWith();
    const [{ id }] = await scene.repositories.list(null, { after: null, limit: 1 });
    const names = [`gateway:${id}`, `automatic-${id}`];
    const before = (await scene.read(machine)).bundle;
    const values = names.map((name) => before.secret(name)?.toString());
    // Enrolled again: the same machine, other keys.
    await ground().database.deleteFrom("agents").where("id", "=", machine.id).execute();
    const again = await scene.addMachine(machine.id);
    const [policy] = await scene.policies.list(null, { after: null, limit: 1 });
    const settings = scene.settings([again.id]);
    await scene.policies.replace(actor, null, policy.id, policy.version, settings);
    const after = (await scene.read(again)).bundle;
    expect(names.map((name) => after.secret(name)?.toString())).toEqual(values);
    await scene.machineRepositories.renewPassword(actor, null, again.id, id);
    const { bundle } = await scene.read(again, after.serial);
    expect(bundle.secret(`automatic-${id}`)?.toString()).not.toBe(values[1]);
    const previous = (of: typeof bundle): (string | undefined)[] =>
      (of.destinations.get(id)?.previousPasswords ?? []).map((name) => of.secret(name)?.toString());
    expect(previous(bundle)).toEqual([values[1]]);
    const second = bundle.secret(`automatic-${id}`)?.toString();
    await scene.machineRepositories.renewPassword(actor, null, again.id, id);
    expect(previous((await scene.read(again, bundle.serial)).bundle)).toEqual([second, values[1]]);
  });

  it("bring the passwords before when a password changes", async () => {
    const { scene, machine } = await sceneWith([]);
    const { put } = scene.secrets;
    const set = put.bind(scene.secrets, actor, sceneTenant);
    await set("first", Buffer.from("1"));
    await set("second", Buffer.from("2"));
    const settings = (secret: string) =>
      scene.settings([machine.id], documentOf("documents", ["/a"], secret));
    const policy = await scene.policies.create(actor, sceneTenant, settings("first"));
    await set("first", Buffer.from("1a"));
    // The machine was off all the while.
    await set("first", Buffer.from("1b"));
    const previous = async (): Promise<(string | undefined)[]> => {
      const { bundle } = await scene.read(machine);
      const [{ previousPasswords }] = [...bundle.destinations.values()];
      return previousPasswords.map((name) => bundle.secret(name)?.toString());
    };
    expect(await previous()).toEqual(["1a", "1"]);
    await scene.policies.replace(actor, null, policy.id, policy.version, settings("second"));
    expect(await previous()).toEqual(["1b"]);
    await set("third", Buffer.from("3"));
    const { version } = await scene.policies.get(null, policy.id);
    await scene.policies.replace(actor, null, policy.id, version, settings("third"));
    expect(await previous()).toEqual(["2", "1b"]);
  });

  it("say that a reduction is meant if it was said, for that one change", async () => {
    const { scene, machine } = await sceneWith();
    const intent = async (): Promise<string> => (await scene.read(machine)).bundle.intent;
    expect(await intent()).toBe("normal");
    const [policy] = await scene.policies.list(null, { after: null, limit: 1 });
    const settings = scene.settings([machine.id], documentOf("documents", ["/a"]));
    const smaller = await scene.policies.replace(actor, null, policy.id, policy.version, settings, {
      isReduction: true,
    });
    expect(await intent()).toBe("stop");
    await scene.secrets.put(actor, sceneTenant, "unrelated", Buffer.from("x"));
    expect(await intent()).toBe("stop");
    const more = scene.settings([machine.id], documentOf("documents", ["/a", "/c"]));
    const changed = await scene.policies.replace(actor, null, policy.id, smaller.version, more);
    expect(await intent()).toBe("normal");
    await scene.intents.set(actor, null, machine.id, "pause");
    expect(await intent()).toBe("pause");
    await scene.intents.set(actor, null, machine.id, "normal");
    expect(await intent()).toBe("normal");
    await scene.policies.remove(actor, null, policy.id, changed.version, { isReduction: true });
    expect(await intent()).toBe("stop");
  });

  it("are refused to be made for a machine that is not there", async () => {
    const { scene } = await sceneWith();
    await expect(scene.bundles.current("nobody", { serial: 0 })).rejects.toThrow("no such thing");
  });

  it("show no secret in the database", async () => {
    const { scene, machine } = await sceneWith();
    await scene.secrets.put(actor, sceneTenant, "planted", Buffer.from("canary-secret-value"));
    const { bundle } = await scene.read(machine);
    const plain = ["canary-secret-value"].concat(
      bundle.secretNames.map((name) => bundle.secret(name)?.toString() ?? ""),
    );
    for (const table of [
      "secrets",
      "machine_repositories",
      "bundles",
      "audit",
      "signing_keys",
    ] as const) {
      const rows = JSON.stringify(await ground().database.selectFrom(table).selectAll().execute());
      for (const value of plain) {
        expect(rows).not.toContain(value);
        expect(rows).not.toContain(Buffer.from(value).toString("base64url"));
      }
    }
  });
});
