import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  actor,
  BundleScene,
  documentOf,
  type SceneMachine,
  sceneTenant,
} from "../../test/bundles/bundle-scene.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";
import { copyDatabase } from "../database/copy-database.ts";
import { type OpenDatabase, openDatabase } from "../database/open-database.ts";

describe("a database that was set back", () => {
  let folder = "";
  let ground: TestGround;
  let restored: OpenDatabase | undefined;
  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-set-back-"));
    ground = await makeTestGround(path.join(folder, "server.db"));
  });
  afterEach(async () => {
    await restored?.close();
    restored = undefined;
    await ground.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function begin(): Promise<{ scene: BundleScene; machine: SceneMachine }> {
    const scene = await BundleScene.make(ground);
    const machine = await scene.addMachine("pc1");
    const policy = documentOf("documents", ["/a", "/b"]);
    await scene.policies.create(actor, sceneTenant, scene.settings([machine.id], policy));
    return { scene, machine };
  }

  /** The server as it was when `copy` was made, a while after now. */
  async function setBack(copy: string): Promise<BundleScene> {
    restored = await openDatabase(copy);
    ground.advance(3_600_000);
    return new BundleScene({ ...ground, database: restored.database });
  }

  it("gives machines what they accept, though keys and destinations have changed since", async () => {
    const { scene, machine } = await begin();
    const first = await scene.read(machine);
    const copy = path.join(folder, "yesterday.db");
    copyDatabase(path.join(folder, "server.db"), copy);
    ground.advance(60_000);
    await scene.keys.rotate(actor, "policy");
    const [{ id, version }] = await scene.repositories.list(null, { after: null, limit: 1 });
    await scene.repositories.replace(actor, null, id, version, {
      name: "main",
      routes: [{ kind: "gateway", url: "https://elsewhere.example/gateway" }],
      quotas: {},
    });
    const lost = await scene.read(machine, first.floors.serial);
    expect(lost.floors.epochs[id]?.epoch).toBeGreaterThan(first.floors.epochs[id]?.epoch ?? 0);
    const yesterday = await setBack(copy);
    const { bundle, floors } = await yesterday.accept(machine, lost);
    expect(bundle.serial).toBeGreaterThan(lost.bundle.serial);
    expect(floors.trustVersion).toBeGreaterThan(lost.floors.trustVersion);
    expect(bundle.destinations.get(id)?.routes).toEqual(first.bundle.destinations.get(id)?.routes);
  });

  it("asks the holder of an offline key to sign again, as only that makes machines accept it", async () => {
    const { scene, machine } = await begin();
    const [destinationKey] = (await scene.keys.list()).filter(({ role }) => role === "destination");
    await scene.keys.removePrivateHalf(actor, destinationKey?.id ?? "");
    const first = await scene.read(machine);
    const copy = path.join(folder, "yesterday.db");
    copyDatabase(path.join(folder, "server.db"), copy);
    const yesterday = await setBack(copy);
    const serial = first.floors.serial + 10;
    await yesterday.bundles.current(machine.id, { serial });
    const [repository] = await yesterday.repositories.list(null, { after: null, limit: 1 });
    expect(repository?.unsigned?.epoch).toBe(Math.floor(ground.now() / 1000));
  });

  it("is believed to be one once, whoever says it how often", async () => {
    const { scene, machine } = await begin();
    const first = await scene.read(machine);
    const trustOf = async (): Promise<number> => (await scene.read(machine)).floors.trustVersion;
    const said = first.floors.serial + 100_000;
    await Promise.all([1, 2, 3].map(() => scene.bundles.current(machine.id, { serial: said })));
    const raised = await trustOf();
    expect(raised).toBeGreaterThan(first.floors.trustVersion);
    ground.advance(60_000);
    const { serial } = await scene.bundles.current(machine.id, { serial: said + 100_000 });
    expect(serial).toBeGreaterThan(said + 100_000);
    expect(await trustOf()).toBe(raised);
  });

  it("makes the same passwords again for a machine that was new since", async () => {
    const { scene, machine } = await begin();
    const copy = path.join(folder, "yesterday.db");
    copyDatabase(path.join(folder, "server.db"), copy);
    const lost = await scene.read(machine);
    const { bundle } = await (await setBack(copy)).accept(machine, lost);
    const [{ id }] = await scene.repositories.list(null, { after: null, limit: 1 });
    for (const name of [`automatic-${id}`, `gateway:${id}`])
      expect(bundle.secret(name)?.toString()).toBe(lost.bundle.secret(name)?.toString());
  });
});
