/** Many uploads at once, slow ones, and ones that never end. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type GatewayMachine, GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { type OpenUpload, openUpload } from "../../test/gateway/open-upload.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";
import type { GatewayParts } from "./gateway-routes.ts";

const folder = newMemoryFolder("backstay-gateway-load-");
afterAll(() => execFileSync("rm", ["-rf", folder]));
const patient = { timeout: 60_000 };
const kibibyte = 1024;

let ground: TestGround;
let scene: GatewayScene;
beforeAll(async () => {
  ground = await makeTestGround(path.join(folder, "server.db"), {
    dataFolder: path.join(folder, "data"),
  });
});
afterAll(async () => await ground.close());
afterEach(async () => await scene.stop());

async function start(parts: Partial<GatewayParts> = {}): Promise<GatewayMachine> {
  scene = new GatewayScene(ground, parts);
  await scene.start();
  return await created(await scene.machine());
}

async function created(machine: GatewayMachine): Promise<GatewayMachine> {
  expect((await scene.ask(machine, "POST", "?create=true")).status).toBe(200);
  return machine;
}

/** Sizes of what is on its way in, the smallest first. */
function incomingBytes(): number[] {
  const place = path.join(folder, "data", "repositories", ".incoming");
  return readdirSync(place, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath, entry.name)).size)
    .sort((a, b) => a - b);
}

describe("fifty slow uploads", () => {
  it("lie on the disk, not in memory, and nobody sees them before they are whole", async () => {
    const first = await start();
    const machines = [first, await created(await scene.machineOf(first.tenantId))];
    const sent = 1024 * kibibyte;
    const uploads: { machine: GatewayMachine; body: Buffer; upload: OpenUpload }[] = [];
    for (let at = 0; at < 50; at += 1) {
      const machine = machines[at % 2];
      const body = randomBytes(sent + 70 + at);
      const upload = await openUpload(scene, machine, `data/${hashed(body)}`, body.length);
      uploads.push({ machine, body, upload });
      upload.send(body.subarray(0, sent));
    }
    // All that each may hold back is a piece of memory and one part of the network's, whatever it has sent.
    await expect
      .poll(() => incomingBytes().filter((bytes) => bytes >= sent - 320 * kibibyte).length, patient)
      .toBe(50);
    const figures = await scene.registry.metrics();
    expect(figures).toMatch(/^backstay_gateway_requests_under_way 50$/m);
    for (const machine of machines) {
      expect(await (await scene.ask(machine, "GET", "data/")).text()).toBe("[]");
      expect(scene.stored(machine).objects).toBe(0);
    }
    for (const [at, { body, upload }] of uploads.entries())
      if (at % 5 === 0) upload.cut();
      else upload.send(body.subarray(sent));
    for (const [at, { upload }] of uploads.entries())
      expect(await upload.status).toBe(at % 5 === 0 ? undefined : 200);
    for (const machine of machines) {
      await expect.poll(() => scene.counted(machine), patient).toMatchObject({ objects: 20 });
      expect(await scene.counted(machine)).toEqual(scene.stored(machine));
    }
    await expect.poll(incomingBytes, patient).toEqual([]);
  });
  it("in parts of a byte take no more than their piece of memory", async () => {
    const machine = await start();
    const body = randomBytes(3000);
    const upload = await openUpload(scene, machine, `data/${hashed(body)}`, body.length);
    for (const byte of body) upload.send(Uint8Array.of(byte));
    expect(await upload.status).toBe(200);
    const stored = await scene.ask(machine, "GET", `data/${hashed(body)}`);
    expect(Buffer.from(await stored.arrayBuffer()).equals(body)).toBe(true);
  });
});

describe("an upload that does not go on", () => {
  it("is ended, and what it had reserved is free again", async () => {
    const machine = await start({ pace: { bytes: 1000, eachMs: 200 } });
    const body = randomBytes(5000);
    const upload = await openUpload(scene, machine, `data/${hashed(body)}`, body.length);
    upload.send(body.subarray(0, 999));
    expect(await upload.status).not.toBe(200);
    await expect.poll(() => scene.counted(machine), patient).toEqual({ bytes: 0, objects: 0 });
    expect(incomingBytes()).toEqual([]);
  });
  it("holds a place only of its own machine's, and the rest hear when to come back", async () => {
    const slots = { perMachine: 2, altogether: 3 };
    const machine = await start({ slots });
    const held: OpenUpload[] = [];
    const hold = async (of: GatewayMachine): Promise<void> => {
      const body = randomBytes(300 * kibibyte);
      const upload = await openUpload(scene, of, `data/${hashed(body)}`, body.length);
      upload.send(body.subarray(0, 290 * kibibyte));
      held.push(upload);
      await expect.poll(() => incomingBytes().length, patient).toBe(held.length);
    };
    await hold(machine);
    await hold(machine);
    const refused = await scene.ask(machine, "GET", "data/");
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    const other = await created(await scene.machine());
    await hold(other);
    expect((await scene.ask(other, "GET", "data/")).status).toBe(503);
    held.pop()?.cut();
    await expect
      .poll(async () => (await scene.ask(other, "GET", "data/")).status, patient)
      .toBe(200);
    for (const upload of held) upload.cut();
  });
  it("of a stranger is not read to its end", async () => {
    const machine = await start();
    const stranger = { ...machine, password: "nobody's" };
    const upload = await openUpload(scene, stranger, "config", 2 ** 40);
    expect(await upload.status).toBe(401);
    expect(await scene.counted(machine)).toEqual({ bytes: 0, objects: 0 });
  });
});
