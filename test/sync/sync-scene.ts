/**
 * The agent's control side against the routes of a real server in the same process: requests are signed and judged as
 * ever, but there is no network between them, and the time is the test's.
 */

import { type App, makeHttpApp } from "../../server/http/http-app.ts";
import { makeRooms, type Rooms, registerRoutes } from "../../server/serve/rooms.ts";
import { addMachine, addTenant } from "../server/fleet-rows.ts";
import { makeTestGround, type TestGround } from "../server/test-ground.ts";
import { swarmIdentity } from "../swarm/swarm-identity.ts";
import { SyncMachine } from "./sync-machine.ts";

const tables = [
  "commands",
  "reports",
  "protection",
  "agent_live",
  "server_facts",
  "bundles",
] as const;
const wakeHoldSeconds = 0.2;

export class SyncScene {
  readonly ground: TestGround;
  readonly tenantId: string;
  rooms: Rooms;
  app: App;
  readonly #machines: SyncMachine[] = [];

  private constructor(ground: TestGround, tenantId: string, rooms: Rooms, app: App) {
    this.ground = ground;
    this.tenantId = tenantId;
    this.rooms = rooms;
    this.app = app;
  }

  /** On the database at `address`, which is empty. */
  static async open(address: string): Promise<SyncScene> {
    const ground = await makeTestGround(address, { wakeHoldSeconds, bundleSpreadSeconds: 0 });
    const tenantId = await addTenant(ground);
    const { rooms, app } = await startedServer(ground);
    return new SyncScene(ground, tenantId, rooms, app);
  }

  /** One that was enrolled just now and has never been in touch. */
  async machine(): Promise<SyncMachine> {
    const identity = swarmIdentity(1, this.#machines.length);
    const agentId = await addMachine(this.ground, this.tenantId);
    await this.ground.database
      .updateTable("agents")
      .set({ identity_key: identity.identityKeyRaw, sealing_key: identity.sealingKeyRaw })
      .where("id", "=", agentId)
      .execute();
    const rootKey = await this.rooms.signingKeys.rootKey();
    const { tenantId } = this;
    const machine = new SyncMachine({
      home: { agentId, tenantId, rootKey },
      identity,
      app: () => this.app,
      nowMs: this.ground.now,
    });
    this.#machines.push(machine);
    return machine;
  }

  /** Ends the server and starts another one on the same database. */
  async restart(): Promise<void> {
    await this.app.close();
    Object.assign(this, await startedServer(this.ground));
    await this.rooms.memory.look();
  }

  /** What the database holds now of what machines have told; the result sets it back to that. */
  async backup(): Promise<() => Promise<void>> {
    const { database } = this.ground;
    const rows = new Map<string, object[]>();
    for (const table of tables)
      rows.set(table, await database.selectFrom(table).selectAll().execute());
    return async () => {
      for (const table of tables) {
        await database.deleteFrom(table).execute();
        for (const row of rows.get(table) ?? [])
          await database
            .insertInto(table)
            .values(row as never)
            .execute();
      }
    };
  }

  /** Ids of all reports that the server has, in order. */
  async reportIds(): Promise<string[]> {
    const rows = await this.ground.database.selectFrom("reports").select("id").execute();
    return rows.map(({ id }) => id).toSorted();
  }

  /** State of a command as people see it. */
  async commandState(id: string): Promise<string> {
    return (await this.rooms.commands.get(null, id)).state;
  }

  async close(): Promise<void> {
    for (const machine of this.#machines) await machine.remove();
    await this.ground.close();
    await this.app.close();
  }
}

async function startedServer(ground: TestGround): Promise<{ rooms: Rooms; app: App }> {
  const rooms = await makeRooms(ground);
  const app = makeHttpApp({ log: ground.log, trustedProxies: [] });
  await registerRoutes(app, rooms);
  await app.ready();
  return { rooms, app };
}
