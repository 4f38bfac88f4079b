/** Repositories in an object storage: places, accounts that change, replicas that share one, answers that are lost. */
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { FaultyStore, type ScriptedFault } from "../../storage/fault/faulty-store.ts";
import { MemoryStore } from "../../storage/memory/memory-store.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import type { OpenStoreOptions } from "../../storage/open-store.ts";
import { type GatewayMachine, GatewayScene, hashed } from "../../test/gateway/gateway-scene.ts";
import { openUpload } from "../../test/gateway/open-upload.ts";
import { eachGround } from "../../test/server/test-ground.ts";
import { secretContext } from "../ground/tenant-secret.ts";
import type { GatewayParts } from "./gateway-routes.ts";

const never = new AbortController().signal;
const patient = { timeout: 30_000 };

/** A memory store that tells when it is closed. */
class ClosingStore extends MemoryStore {
  isClosed = false;
  override async close(): Promise<void> {
    this.isClosed = true;
  }
}

eachGround("repositories in an object storage", (ground) => {
  let memory: MemoryStore;
  let opened: { address: string; options: OpenStoreOptions; store: ClosingStore }[];
  const scenes: GatewayScene[] = [];
  beforeEach(() => {
    memory = new MemoryStore();
    opened = [];
  });
  afterEach(async () => {
    for (const scene of scenes.splice(0)) await scene.stop();
  });

  /** A gateway; all of them store in `memory`. */
  async function start(
    storeOf: (store: ObjectStore) => ObjectStore = (store) => store,
    parts: Partial<GatewayParts> = {},
  ): Promise<GatewayScene> {
    const scene = new GatewayScene(ground(), {
      hasFolder: false,
      storeLimits: { openMax: 2, idleMs: 60_000 },
      ...parts,
      environment: { HTTPS_PROXY: "http://proxy.example" },
      open: (address, options) => {
        const store = new ClosingStore();
        Object.assign(store, { below: (path: string) => storeOf(memory.below(path)) });
        opened.push({ address, options, store });
        return store;
      },
    });
    await scene.start();
    scenes.push(scene);
    return scene;
  }

  async function machineIn(scene: GatewayScene, url = "s3:host/bucket"): Promise<GatewayMachine> {
    const machine = await scene.machine();
    await scene.keepIn(machine, { url });
    return machine;
  }

  function placeOf({ tenantId, repositoryId, agentId }: GatewayMachine): MemoryStore {
    return memory.below([tenantId, repositoryId, agentId].join("/"));
  }

  async function upload(scene: GatewayScene, machine: GatewayMachine, body: Buffer, type = "data") {
    const target = `${type}/${hashed(body)}`;
    return (await scene.ask(machine, "POST", target, { body: new Uint8Array(body) })).status;
  }

  async function put(tenantId: string, name: string, text: string): Promise<void> {
    const { vault, database, now } = ground();
    const sealed = vault.seal(Buffer.from(text), secretContext(tenantId, name));
    await database
      .insertInto("secrets")
      .values({
        id: `${tenantId}-${name}`,
        tenant_id: tenantId,
        name,
        sealed,
        previous_sealed: null,
        created_ms: now(),
        version: 1,
      })
      .onConflict((conflict) => conflict.column("id").doUpdateSet({ sealed }))
      .execute();
  }

  it("keep each machine's files in a place of its own, at every server", async () => {
    const first = await start();
    const second = await start();
    const machine = await machineIn(first);
    const body = randomBytes(100_000);
    expect((await first.ask(machine, "POST", "?create=true")).status).toBe(200);
    expect(await upload(first, machine, body)).toBe(200);
    const read = await second.ask(machine, "GET", `data/${hashed(body)}`);
    expect(Buffer.from(await read.arrayBuffer()).equals(body)).toBe(true);
    expect(await upload(second, machine, body)).toBe(200);
    expect(await Array.fromAsync(placeOf(machine).list("data", never))).toHaveLength(1);
    expect(await first.counted(machine)).toEqual({ bytes: body.length, objects: 1 });
    // And one without a storage is not here.
    const other = await first.machine();
    const answer = await first.ask(other, "GET", "config");
    expect([answer.status, await answer.text()]).toEqual([
      503,
      expect.stringContaining("gateway-elsewhere") as string,
    ]);
  });

  it("are opened with the account of now, once for all machines, and closed when it is another", async () => {
    const scene = await start();
    const machine = await scene.machine();
    const url = "s3:host/bucket";
    await scene.keepIn(machine, { url, secret: "account" });
    const status = async (): Promise<number> => (await scene.ask(machine, "GET", "keys/")).status;
    expect(await status()).toBe(503);
    expect(opened).toEqual([]);
    await put(machine.tenantId, "account", "AWS_ACCESS_KEY_ID=one\nAWS_SECRET_ACCESS_KEY=a-secret");
    expect([await status(), await status()]).toEqual([200, 200]);
    expect(opened).toMatchObject([
      {
        address: url,
        options: {
          environment: {
            AWS_ACCESS_KEY_ID: "one",
            AWS_SECRET_ACCESS_KEY: "a-secret",
            HTTPS_PROXY: "http://proxy.example",
          },
        },
      },
    ]);
    await put(machine.tenantId, "account", "AWS_ACCESS_KEY_ID=two");
    expect(await status()).toBe(200);
    expect(opened.map(({ options }) => options.environment?.["AWS_ACCESS_KEY_ID"])).toEqual([
      "one",
      "two",
    ]);
    await expect
      .poll(() => opened.map(({ store }) => store.isClosed), patient)
      .toEqual([true, false]);
    await scene.keepIn(machine, { url: `${url}/elsewhere`, secret: "account" });
    expect(await status()).toBe(200);
    expect(opened.at(-1)?.address).toBe(`${url}/elsewhere`);
    await expect.poll(() => opened[1]?.store.isClosed, patient).toBe(true);
    expect(ground().logged.join("\n")).not.toContain("a-secret");
  });

  it("are not open in any number, nor closed while somebody is at them", async () => {
    const scene = await start();
    const held = await machineIn(scene);
    const body = randomBytes(1000);
    const upload = await openUpload(scene, held, `data/${hashed(body)}`, body.length);
    upload.send(body.subarray(0, 10));
    await expect.poll(() => scene.counted(held), patient).toMatchObject({ objects: 1 });
    for (let at = 0; at < 5; at += 1)
      expect((await scene.ask(await machineIn(scene), "GET", "keys/")).status).toBe(200);
    const open = (): number => opened.filter(({ store }) => !store.isClosed).length;
    await expect.poll(open, patient).toBe(2);
    expect(opened[0]?.store.isClosed).toBe(false);
    upload.send(body.subarray(10));
    expect(await upload.status).toBe(200);
  });

  it("are closed when nobody has asked for a while", async () => {
    const scene = await start((store) => store, {
      storeLimits: { openMax: 2, idleMs: 50 },
    });
    expect((await scene.ask(await machineIn(scene), "GET", "keys/")).status).toBe(200);
    await expect.poll(() => opened[0]?.store.isClosed, patient).toBe(true);
  });

  it("take a file from one at a time, whichever server it comes to, and count it once", async () => {
    const first = await start();
    const impatient = await start((store) => store, { patienceMs: 0 });
    const patientOne = await start();
    const machine = await machineIn(first);
    const body = randomBytes(5000);
    const broken = await openUpload(first, machine, `data/${hashed(body)}`, body.length);
    broken.send(body.subarray(0, 100));
    await expect.poll(() => first.counted(machine), patient).toMatchObject({ objects: 1 });
    expect(await upload(impatient, machine, body)).toBe(503);
    const waiting = upload(patientOne, machine, body);
    broken.cut();
    expect(await waiting).toBe(200);
    expect(await first.counted(machine)).toEqual({ bytes: 5000, objects: 1 });
    await expect.poll(() => first.changing(), patient).toBe(0);
  });

  it("count rightly when the answer of the storage was lost, also if it can't be asked at once", async () => {
    const lost: ScriptedFault = { fault: "after", failAt: 1, methods: ["save"] };
    const silent: ScriptedFault = { fault: "before", failAt: 2, methods: ["stat"] };
    let faults: ScriptedFault[] = [lost];
    const scene = await start((store) => (faults.length === 0 ? store : faultyOnce(store, faults)));
    const machine = await machineIn(scene);
    const body = randomBytes(4000);
    expect(await upload(scene, machine, body)).toBe(503);
    expect(await scene.counted(machine)).toEqual({ bytes: 4000, objects: 1 });
    expect(await scene.changing()).toBe(0);
    const other = randomBytes(3000);
    faults = [{ ...lost, fault: "before" }, silent];
    expect(await upload(scene, machine, other)).toBe(503);
    expect(await scene.changing()).toBe(1);
    faults = [];
    // The next who stores it has to know.
    expect(await upload(scene, machine, other)).toBe(200);
    expect(await scene.counted(machine)).toEqual({ bytes: 7000, objects: 2 });
    expect(await scene.changing()).toBe(0);
  });

  it("whose server has died are put right by another, once it is sure", async () => {
    const first = await start();
    const machine = await machineIn(first);
    const body = randomBytes(4000);
    const broken = await openUpload(first, machine, `data/${hashed(body)}`, body.length);
    broken.send(body.subarray(0, 10));
    await expect.poll(() => first.counted(machine), patient).toMatchObject({ objects: 1 });
    // As a process that stands still: its lease runs out.
    if (ground().dialect === "postgresql") ground().advance(10 * 60_000);
    const second = await start();
    await expect.poll(() => second.counted(machine), patient).toEqual({ bytes: 0, objects: 0 });
    expect(await upload(second, machine, body)).toBe(200);
    broken.cut();
    await sleep(0);
    expect(await second.counted(machine)).toEqual({ bytes: 4000, objects: 1 });
  });

  it("say what they can't do in words that clients act on, and tell the log why", async () => {
    const denied: ScriptedFault = { fault: "before", failAt: 1, code: "STORE_DENIED" };
    const scene = await start((store) => faultyOnce(store, [denied]));
    const machine = await machineIn(scene);
    const answer = await scene.ask(machine, "GET", "config");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "10"]);
    expect(await answer.text()).not.toContain("bucket");
    expect(ground().logged.some((line) => line.includes("STORE_DENIED"))).toBe(true);
  });
});

/** Each call of the gateway begins to count anew, as its places are made for each. */
const shared = new WeakMap<readonly ScriptedFault[], FaultyStore>();
function faultyOnce(store: ObjectStore, faults: readonly ScriptedFault[]): ObjectStore {
  const known = shared.get(faults) ?? new FaultyStore(store, ...faults);
  shared.set(faults, known);
  return known;
}
