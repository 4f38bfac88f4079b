/** A gateway that ends at each of its steps in turn, and the next one on the same folder and database. */
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { type GatewayMachine, GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { StoppingObjects } from "../../test/gateway/stopping-objects.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround } from "../../test/server/test-ground.ts";
import { FolderObjects } from "./folder-objects.ts";

const folder = newMemoryFolder("backstay-gateway-crash-");
afterAll(() => execFileSync("rm", ["-rf", folder]));

const pack = new Uint8Array(randomBytes(700_000));
const lock = new Uint8Array(randomBytes(200));
const config = new Uint8Array(randomBytes(150));
const packTarget = `data/${hashed(pack)}`;
const lockTarget = `locks/${hashed(lock)}`;
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

/** Whatever has a name is whole. */
function expectWhole(scene: GatewayScene, machine: GatewayMachine): void {
  for (const file of scene.filesOf(machine)) {
    const name = path.basename(file);
    const hash = createHash("sha256").update(readFileSync(file)).digest("hex");
    expect(name).toBe(name === "config" && hash === hashed(config) ? "config" : hash);
  }
}

it("keeps all that it has confirmed, shows nothing that is not whole, and counts rightly afterwards", async () => {
  const dataFolder = path.join(folder, "data");
  const ground = await makeTestGround(path.join(folder, "server.db"), { dataFolder });
  const place = path.join(dataFolder, "repositories");
  const stops: string[] = [];
  for (let at = 1; ; at += 1) {
    const objects = new StoppingObjects(new FolderObjects(place), at);
    const first = new GatewayScene(ground, { objects });
    await first.start();
    const machine = await first.machine();
    const { answered, stop } = await askUntilStop(first, machine, objects);
    first.abandon();
    if (stop === undefined) break;
    stops.push(stop);

    const second = new GatewayScene(ground);
    await second.start();
    if (answered > 0) {
      expectWhole(second, machine);
      await expect.poll(() => second.counted(machine), patient).toEqual(second.stored(machine));
    }
    for (let next = answered; next < requests.length; next += 1) await ask(second, machine, next);
    expectWhole(second, machine);
    const bytes = config.length + lock.length + pack.length;
    expect([stop, second.stored(machine)]).toEqual([stop, { bytes, objects: 3 }]);
    expect(await second.counted(machine)).toEqual({ bytes, objects: 3 });
    await second.stop();
    await objects.release();
    expect(readdirSync(path.join(place, ".incoming"))).toEqual([]);
  }
  // Each kind of step was one of those.
  const steps = ["create", "stat", "noteChanging", "receive", "write", "publish"];
  for (const step of [...steps, "discard", "open", "settle", "remove", "removed", "noteSettled"])
    expect(stops).toContain(step);
  await ground.close();
}, 120_000);
