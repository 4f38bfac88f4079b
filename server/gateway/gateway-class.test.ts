/** The class of what a gateway stores, over our stand-in for Google. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openStore } from "../../storage/open-store.ts";
import { GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { handleOf } from "../../test/object-storage/content-handle.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const never = new AbortController().signal;
const folder = newMemoryFolder("backstay-gateway-class-");

let google: FakeGoogle;
let ground: TestGround;
let scene: GatewayScene;
beforeAll(async () => {
  google = await FakeGoogle.start();
  google.bucket("cool");
  const environment = { STORAGE_EMULATOR_HOST: google.url, GOOGLE_PROJECT_ID: "tests" };
  ground = await makeTestGround(path.join(folder, "server.db"));
  scene = new GatewayScene(ground, {
    open: (address, options) => openStore(address, { ...options, environment }),
  });
  await scene.start();
});
afterAll(async () => {
  await scene.stop();
  await ground.close();
  await google.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("is the storage's for packs, from the next object on where it is changed, and never for anything else", async () => {
  const machine = await scene.machine();
  await scene.keepIn(machine, { url: "gs:cool:/kept", storageClass: "NEARLINE" });
  const store = openStore(scene.address(machine), scene.options(machine));
  await store.create(never);
  const classOf = async (type: "data" | "index"): Promise<string | undefined> => {
    const data = randomBytes(100);
    const handle = handleOf(type, data);
    await store.save(handle, data, never);
    expect(Buffer.compare(await store.load(handle, undefined, never), data)).toBe(0);
    const [, made] = [...google.bucket("cool").live].find(([name]) =>
      name.endsWith(handle.name),
    ) ?? ["", undefined];
    return made?.settings.storageClass;
  };
  expect([await classOf("data"), await classOf("index")]).toEqual(["NEARLINE", undefined]);
  await scene.keepIn(machine, { url: "gs:cool:/kept", storageClass: "COLDLINE" });
  expect(await classOf("data")).toBe("COLDLINE");
  await scene.keepIn(machine, { url: "gs:cool:/kept" });
  expect(await classOf("data")).toBeUndefined();
  await store.close();
});
