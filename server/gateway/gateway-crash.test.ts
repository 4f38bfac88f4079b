/** A gateway that ends at each of its steps in turn, and the next one at the same storage and database. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import { fileTypes, type Handle, type ObjectStore } from "../../storage/object-store.ts";
import { type GatewayMachine, GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { StoppingObjects } from "../../test/gateway/stopping-objects.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround } from "../../test/server/test-ground.ts";
import { FolderObjects } from "./folder-objects.ts";
import { StoreObjects } from "./store-objects.ts";

const folder = newMemoryFolder("backstay-gateway-crash-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

const pack = new Uint8Array(randomBytes(700_000));
const lock = new Uint8Array(randomBytes(200));
const config = new Uint8Array(randomBytes(150));
const packTarget = `data/${hashed(pack)}`;
const lockTarget = `locks/${hashed(lock)}`;
const never = new AbortController().signal;
const patient = { timeout: 30_000 };

/** What a machine asks for, one after the other. Each may be asked again when its answer was lost. */
const requests: readonly (readonly [string, string, Uint8Array<ArrayBuffer>?])[] = [
  ["POST", "?create=true"],
  ["POST", "config", config],
  ["POST", lockTarget, lock],
  ["POST", packTarget, pack],
  ["POST", packTarget, pack],
  ["DELETE", lockTarget],
  ["POST", lockTarget, lock],
];

async function ask(scene: GatewayScene, machine: GatewayMachine, at: number): Promise<void> {
  const [method, target, body] = requests[at];
  const answer = await scene.ask(machine, method, target, body === undefined ? {} : { body });
  expect([method, target, answer.status, await answer.text()]).toEqual([method, target, 200, ""]);
}

/** Asks for one after the other until the gateway stops or all is done; how many were answered, and where it stopped. */
async function askUntilStop(
  scene: GatewayScene,
  machine: GatewayMachine,
  objects: StoppingObjects,
): Promise<{ answered: number; stop: string | undefined }> {
  for (const at of requests.keys()) {
    const asked = ask(scene, machine, at).then(() => undefined);
    // Broken off when the gateway is let go of.
    asked.catch(() => undefined);
    const stop = await Promise.race([objects.stopped, asked]);
    if (stop !== undefined) return { answered: at, stop };
  }
  const ended = scene.stop().then(() => undefined);
  return { answered: requests.length, stop: await Promise.race([objects.stopped, ended]) };
}

/** One kind of storage, as the gateway of this test has it. */
interface Kind {
  readonly name: string;
  /** Undefined: the folder. */
  readonly store: ObjectStore | undefined;
  /** The files of a machine by their path. */
  files(scene: GatewayScene, machine: GatewayMachine): Promise<ReadonlyMap<string, Uint8Array>>;
}

const memory = new MemoryStore();
const kinds: readonly Kind[] = [
  {
    name: "the folder",
    store: undefined,
    files: async (scene, machine) =>
      new Map(scene.filesOf(machine).map((file) => [path.basename(file), readFileSync(file)])),
  },
  {
    name: "an object storage",
    store: memory,
    files: async (_scene, { tenantId, repositoryId, agentId }) => {
      const store = memory.below([tenantId, repositoryId, agentId].join("/"));
      const found = new Map<string, Uint8Array>();
      const handles: Handle[] = [{ type: "config", name: "" }];
      for (const type of fileTypes)
        for await (const { name } of store.list(type, never)) handles.push({ type, name });
      for (const handle of handles)
        if ((await store.stat(handle, never)) !== undefined)
          found.set(handle.name || "config", await store.load(handle, undefined, never));
      return found;
    },
  },
];

/** Whatever has a name is whole; what there is. */
async function stored(kind: Kind, scene: GatewayScene, machine: GatewayMachine): Promise<object> {
  const files = await kind.files(scene, machine);
  for (const [name, data] of files) {
    const hash = createHash("sha256").update(data).digest("hex");
    expect(name).toBe(name === "config" && hash === hashed(config) ? "config" : hash);
  }
  const sizes = [...files.values()].map(({ length }) => length);
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), objects: sizes.length };
}

it.each(kinds)(
  "with $name keeps all that it has confirmed, shows nothing that is not whole, and counts rightly afterwards",
  async (kind) => {
    const dataFolder = path.join(folder, kind.name);
    const ground = await makeTestGround(path.join(folder, `${kind.name}.db`), { dataFolder });
    const place = path.join(dataFolder, "repositories");
    const storage = kind.store === undefined ? undefined : { url: "s3:memory" };
    const stops: string[] = [];
    for (let at = 1; ; at += 1) {
      const inner =
        kind.store === undefined ? new FolderObjects(place) : new StoreObjects(kind.store);
      const objects = new StoppingObjects(inner, at);
      const first = new GatewayScene(ground, { objects });
      await first.start();
      // Its stops need the objects themselves, so that the storage is told of afterwards.
      const machine = await first.machine();
      const { answered, stop } = await askUntilStop(first, machine, objects);
      first.abandon();
      if (stop === undefined) break;
      stops.push(stop);
      await first.keepIn(machine, storage);

      const second = new GatewayScene(ground, { open: () => memory });
      await second.start();
      await expect
        .poll(() => second.counted(machine), patient)
        .toEqual(answered > 0 ? await stored(kind, second, machine) : { bytes: 0, objects: 0 });
      for (let next = answered; next < requests.length; next += 1) await ask(second, machine, next);
      const bytes = config.length + lock.length + pack.length;
      expect([stop, await stored(kind, second, machine)]).toEqual([stop, { bytes, objects: 3 }]);
      expect(await second.counted(machine)).toEqual({ bytes, objects: 3 });
      expect(await second.changing()).toBe(0);
      await second.stop();
      objects.release();
      if (kind.store === undefined)
        await expect.poll(() => readdirSync(path.join(place, ".incoming")), patient).toEqual([]);
    }
    // Each kind of step was one of those.
    const steps = ["create", "stat", "receive", "first part", "last part", "received"];
    for (const step of [...steps, "open", "settle", "remove", "removed"])
      expect(stops).toContain(step);
    await ground.close();
  },
  120_000,
);
