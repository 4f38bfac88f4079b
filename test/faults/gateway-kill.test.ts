/**
 * A real server that is killed while machines store files through its gateway: nothing confirmed is lost, nothing is seen
 * that is not whole, and what is counted is what is there. `BACKSTAY_KILLS` says how often.
 */
import { createHash, randomBytes, randomInt } from "node:crypto";
import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { type OpenDatabase, openDatabase } from "../../server/database/open-database.ts";
import type { Handle, ObjectStore } from "../../storage/object-store.ts";
import { openStore } from "../../storage/open-store.ts";
import { ServerScene } from "../fleet/server-scene.ts";
import { addGatewayMachine, type GatewayMachine } from "../gateway/gateway-scene.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 3);
const never = new AbortController().signal;
const writers = 4;

let scene: ServerScene | undefined;
let opened: OpenDatabase | undefined;
afterEach(async () => {
  await opened?.close();
  await scene?.remove();
});

/** The machine's store, by the server's own certificate. */
function storeOf(server: ServerScene, machine: GatewayMachine): ObjectStore {
  return openStore(`rest:${server.url()}${machine.path}`, {
    environment: {
      RESTIC_REST_USERNAME: machine.agentId,
      RESTIC_REST_PASSWORD: machine.password,
      BACKSTAY_REST_PINS: server.access().pin,
    },
  });
}

/** Saves files until the server is gone; adds the names of those that were confirmed. */
async function write(store: ObjectStore, confirmed: Set<string>): Promise<void> {
  for (;;) {
    const data = new Uint8Array(randomBytes(randomInt(1, 600_000)));
    const name = createHash("sha256").update(data).digest("hex");
    const handle: Handle = { type: randomInt(8) === 0 ? "index" : "data", name };
    const isSaved = await store.save(handle, data, never).then(
      () => true,
      () => false,
    );
    if (!isSaved) return;
    confirmed.add(`${handle.type}/${name}`);
  }
}

/** All files that can be seen are whole; their names. */
async function wholeFiles(store: ObjectStore): Promise<Set<string>> {
  const names = new Set<string>();
  for (const type of ["data", "index"] as const)
    for await (const { name, size } of store.list(type, never)) {
      const data = await store.load({ type, name }, undefined, never);
      expect(data.length).toBe(size);
      expect(createHash("sha256").update(data).digest("hex")).toBe(name);
      names.add(`${type}/${name}`);
    }
  return names;
}

it(`a gateway that is killed ${kills} times keeps what it has confirmed`, {
  timeout: 120_000 + kills * 20_000,
}, async () => {
  const server = await ServerScene.start();
  scene = server;
  opened = await openDatabase(path.join(server.data(), "server.db"));
  const { database } = opened;
  const machine = await addGatewayMachine({ database, now: Date.now });
  const { tenantId, repositoryId, agentId } = machine;
  const folder = path.join(server.data(), "repositories", tenantId, repositoryId, agentId);
  const confirmed = new Set<string>();
  const first = storeOf(server, machine);
  await first.create(never);
  await first.close();
  for (let kill = 0; kill < kills; kill += 1) {
    const store = storeOf(server, machine);
    const before = confirmed.size;
    const writing = Array.from({ length: writers }, () => write(store, confirmed));
    while (confirmed.size < before + 5) await sleep(5);
    await sleep(randomInt(40));
    await server.endReplica(0, "SIGKILL");
    await Promise.all(writing);
    await store.close();
    await server.startReplica();
    const again = storeOf(server, machine);
    const whole = await wholeFiles(again);
    for (const name of confirmed) expect([name, whole.has(name)]).toEqual([name, true]);
    await again.close();
    await expect
      .poll(
        async () =>
          await database
            .selectFrom("machine_repositories")
            .select(["stored_bytes as bytes", "stored_objects as objects"])
            .where("agent_id", "=", agentId)
            .executeTakeFirst(),
        { timeout: 60_000 },
      )
      .toEqual(storedIn(folder));
  }
  expect(confirmed.size).toBeGreaterThanOrEqual(5 * kills);
});

function storedIn(folder: string): { bytes: number; objects: number } {
  const sizes = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => statSync(path.join(entry.parentPath, entry.name)).size);
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), objects: sizes.length };
}
