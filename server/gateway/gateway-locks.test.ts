/** Locks against removal that machines ask for at the gateway, over our stand-in for Google. */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ObjectStore } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { type GatewayMachine, GatewayScene } from "../../test/gateway/gateway-scene.ts";
import { newMemoryFolder } from "../../test/memory-folder.ts";
import { handleOf } from "../../test/object-storage/content-handle.ts";
import { FakeGoogle } from "../../test/object-storage/google-fake/fake-google.ts";
import { makeTestGround, type TestGround } from "../../test/server/test-ground.ts";

const never = new AbortController().signal;
const dayMs = 86_400_000;
const lockable = { url: "gs:locked:/kept", mayLock: true };
const folder = newMemoryFolder("backstay-gateway-locks-");

let google: FakeGoogle;
let ground: TestGround;
let scene: GatewayScene;
const open: ObjectStore[] = [];
beforeAll(async () => {
  google = await FakeGoogle.start();
  google.bucket("locked").settings.objectRetention = true;
  google.bucket("loose");
  const environment = { STORAGE_EMULATOR_HOST: google.url, GOOGLE_PROJECT_ID: "tests" };
  ground = await makeTestGround(path.join(folder, "server.db"));
  scene = new GatewayScene(ground, {
    open: (address, options) => openStore(address, { ...options, environment }),
  });
  await scene.start();
});
afterEach(async () => {
  for (const store of open.splice(0)) await store.close();
});
afterAll(async () => {
  await scene.stop();
  await ground.close();
  await google.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function machineIn(storage: { url: string; mayLock?: boolean }): Promise<GatewayMachine> {
  const machine = await scene.machine();
  await scene.keepIn(machine, storage);
  return machine;
}

function locking(machine: GatewayMachine, days = 3): ObjectStore {
  const retention = { mode: "compliance", days } as const;
  const store = openStore(scene.address(machine), { ...scene.options(machine), retention });
  open.push(store);
  return store;
}

/** Names of everything below the machine's place, with how long it is locked from now on, in days. */
function lockedDays({ tenantId, repositoryId, agentId }: GatewayMachine): Map<string, number> {
  const place = `kept/${tenantId}/${repositoryId}/${agentId}/`;
  const found = [...google.bucket("locked").live].filter(([name]) => name.startsWith(place));
  return new Map(
    found.map(([name, { settings }]) => {
      const untilMs = Date.parse(settings.retention?.retainUntilTime ?? "");
      return [name.slice(place.length), (untilMs - Date.now()) / dayMs];
    }),
  );
}

describe("a repository whose machines may lock", () => {
  it("locks new objects from their beginning, but for locks of sessions", async () => {
    const machine = await machineIn(lockable);
    const store = locking(machine);
    await store.create(never);
    const data = randomBytes(1000);
    for (const type of ["data", "index", "locks"] as const)
      await store.save(handleOf(type, data), data, never);
    await store.save({ type: "config", name: "" }, data, never);
    const days = lockedDays(machine);
    expect(days.size).toBe(4);
    for (const [name, left] of days)
      if (name.startsWith("locks/")) expect(left).toBeNaN();
      else expect(left).toBeCloseTo(3, 2);
    expect(await store.retentionLocks?.lockedUntil(handleOf("locks", data), never)).toBeUndefined();
    // Another mode and time by the same account, over the same connections.
    const other = randomBytes(10);
    await locking(machine, 30).save(handleOf("data", other), other, never);
    const [, left] = [...lockedDays(machine)].find(([name]) =>
      name.endsWith(handleOf("data", other).name),
    ) ?? ["", 0];
    expect(left).toBeCloseTo(30, 2);
  });

  it("extends locks, and never shortens them", async () => {
    const machine = await machineIn(lockable);
    const store = locking(machine);
    const data = randomBytes(10);
    const pack = handleOf("data", data);
    await store.save(pack, data, never);
    const locks = store.retentionLocks ?? expect.fail("no locks");
    const untilMs = Math.ceil(Date.now() / 1000) * 1000 + 20 * dayMs;
    await locks.extend(pack, untilMs, never);
    await locks.extend(pack, Date.now() + dayMs, never);
    expect(await locks.lockedUntil(pack, never)).toBe(untilMs);
    const absent = handleOf("data", randomBytes(8));
    const missing = { code: "STORE_NOT_FOUND" };
    await expect(locks.lockedUntil(absent, never)).rejects.toMatchObject(missing);
    await expect(locks.extend(absent, untilMs, never)).rejects.toMatchObject(missing);
  });

  it("takes nothing that is no lock, and locks nothing after the tenant's lease", async () => {
    const machine = await machineIn(lockable);
    const data = new Uint8Array(randomBytes(10));
    const target = `data/${handleOf("data", data).name}`;
    const ask = async (method: string, lock?: string): Promise<string> => {
      const headers = lock === undefined ? {} : { "backstay-lock": lock };
      const body = method === "POST" ? { body: data } : {};
      const answer = await scene.ask(machine, method, target, { ...body, headers });
      if (answer.status === 200) return "200";
      return `${answer.status} ${((await answer.json()) as { code: string }).code}`;
    };
    expect(await ask("POST", "compliance until=9")).toBe("400 gateway-lock-form");
    expect(await ask("POST", "hard days=9")).toBe("400 gateway-lock-form");
    expect(await ask("PATCH", "compliance until=9")).toBe("404 gateway-absent");
    expect(lockedDays(machine).size).toBe(0);
    expect(await ask("POST", "governance days=1")).toBe("200");
    expect(await ask("PATCH", "compliance days=9")).toBe("400 gateway-lock-form");
    expect(await ask("PATCH")).toBe("405 gateway-method");
    await ground.database
      .updateTable("tenants")
      .set({ lease_until_ms: 1 })
      .where("id", "=", machine.tenantId)
      .execute();
    expect(await ask("PATCH", `compliance until=${Date.now() + 9 * dayMs}`)).toBe(
      "403 gateway-lease",
    );
    expect([...lockedDays(machine).values()]).toEqual([expect.closeTo(1, 2)]);
  });
});

describe("any other repository", () => {
  it.each([
    ["whose machines may not lock", { url: lockable.url }],
    ["in the gateway's folder", undefined],
  ])("%s is refused before anything is stored", async (_, storage) => {
    const machine = await scene.machine();
    await scene.keepIn(machine, storage);
    const store = locking(machine);
    const data = new Uint8Array(randomBytes(10));
    const handle = handleOf("data", data);
    const lacking = { code: "STORE_LACKS" };
    await expect(store.save(handle, data, never)).rejects.toMatchObject(lacking);
    expect(store.retentionLocks).toBeUndefined();
    expect(await store.stat(handle, never)).toBeUndefined();
    const forced = async (method: string, lock: string): Promise<number> => {
      const headers = { "backstay-lock": lock };
      const parts = method === "POST" ? { headers, body: data } : { headers };
      return (await scene.ask(machine, method, `data/${handle.name}`, parts)).status;
    };
    expect(await forced("POST", "compliance days=3")).toBe(501);
    expect(await forced("PATCH", "compliance until=9")).toBe(501);
    expect(await store.stat(handle, never)).toBeUndefined();
  });

  it("that may lock, but whose bucket does not, says so at once", async () => {
    const machine = await machineIn({ url: "gs:loose:/kept", mayLock: true });
    const data = randomBytes(10);
    const saving = locking(machine).save(handleOf("data", data), data, never);
    await expect(saving).rejects.toMatchObject({ code: "STORE_LACKS" });
  });
});
