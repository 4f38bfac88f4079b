/**
 * Real servers that are killed, whose database is restarted or set back to an older day, and machines whose own memory is
 * set back, at random, while machines report, do commands and get policies: nothing is lost, doubled, older than before,
 * or stuck. `BACKSTAY_KILLS` says how many faults there are in each of the two trials (one of each kind if it says nothing),
 * `BACKSTAY_SEED` in which order.
 */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterEach, expect, it } from "vitest";
import { until } from "../daemon/daemon-scene.ts";
import { PlayedFleet } from "../fleet/played-fleet.ts";
import { believesMachines, ServerScene } from "../fleet/server-scene.ts";
import {
  type PostgresCluster,
  postgresPrograms,
  startPostgres,
} from "../server/postgres-cluster.ts";

const asked = process.env["BACKSTAY_KILLS"];
const seed = Number(process.env["BACKSTAY_SEED"] ?? 1);
const machines = 6;
const timeout = 400_000 + Number(asked ?? 0) * 30_000;

let servers: ServerScene | undefined;
let fleet: PlayedFleet | undefined;
let cluster: PostgresCluster | undefined;

afterEach(async () => {
  await fleet?.stop();
  await servers?.remove();
  await cluster?.stop();
  [fleet, servers, cluster] = [undefined, undefined, undefined];
});

type Fault = () => Promise<void>;

/** Each kind as often as the others, in an order that the seed gives. */
async function doFaults(
  played: PlayedFleet,
  kinds: Readonly<Record<string, Fault>>,
): Promise<void> {
  const { random } = played;
  const names = Object.keys(kinds);
  const count = Number(asked ?? names.length);
  const all = Array.from({ length: count }, (_, at) => names[at % names.length]);
  const order = all.map((name) => [random(), name] as const).toSorted(([a], [b]) => a - b);
  played.startLoad();
  for (const [, name] of order) {
    await sleep(random() * 800);
    await kinds[name]();
  }
  await sleep(300);
  await played.stopLoad();
}

it(`one server on SQLite withstands ${asked ?? "all"} faults`, { timeout }, async () => {
  servers = await ServerScene.start({ args: believesMachines });
  fleet = await PlayedFleet.start(servers, machines, seed);
  const [scene, played] = [servers, fleet];
  const file = path.join(scene.data(), "server.db");
  const copy = path.join(scene.folder, "yesterday.db");
  await doFaults(played, {
    "kill the server": async () => {
      await scene.endReplica(0, "SIGKILL");
      await sleep(played.random() * 500);
      await scene.startReplica(0);
    },
    "set its database back": async () => {
      rmSync(copy, { force: true });
      const source = new Database(file, { readonly: true });
      await source.backup(copy);
      source.close();
      await played.changePolicy().catch(() => undefined);
      await sleep(played.random() * 1000);
      await scene.endReplica(0, "SIGKILL");
      for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
      cpSync(copy, file);
      await scene.startReplica(0);
    },
    "set a machine back": async () => await played.setMachineBack(),
  });
  await played.expectAllWell();
});

it.skipIf(postgresPrograms() === undefined)(
  `two servers on PostgreSQL withstand ${asked ?? "all"} faults`,
  { timeout },
  async () => {
    cluster = await startPostgres();
    const database = await cluster.createDatabase();
    servers = await ServerScene.start({ database, replicas: 2, args: believesMachines });
    fleet = await PlayedFleet.start(servers, machines, seed);
    const [scene, played, postgres] = [servers, fleet, cluster];
    const endAll = async (): Promise<void> => {
      await Promise.all([0, 1].map((at) => scene.endReplica(at, "SIGKILL")));
    };
    const startAll = async (): Promise<void> => {
      await Promise.all([0, 1].map((at) => scene.startReplica(at)));
    };
    let victim = 0;
    await doFaults(played, {
      "kill a server": async () => {
        victim = 1 - victim;
        await scene.endReplica(victim, "SIGKILL");
        await sleep(played.random() * 500);
        await scene.startReplica(victim);
      },
      "restart the database": async () => {
        const processes = scene.processIds;
        await postgres.kill();
        await sleep(played.random() * 500);
        await postgres.start();
        for (const at of [0, 1])
          await until("the server has its database again", async () => {
            await scene.client(at).get("/api/v1/tenants");
            return true;
          });
        expect(scene.processIds).toEqual(processes);
        for (const id of processes) process.kill(id, 0);
      },
      "set the database back": async () => {
        const dump = path.join(scene.folder, "yesterday.sql");
        postgresProgram("pg_dump", "-f", dump, database);
        await played.changePolicy().catch(() => undefined);
        await sleep(played.random() * 1000);
        await endAll();
        const psql = ["-qX", "-v", "ON_ERROR_STOP=1"];
        const renew =
          "SET client_min_messages = warning; DROP SCHEMA public CASCADE; CREATE SCHEMA public";
        postgresProgram("psql", ...psql, "-c", renew, "-f", dump, database);
        await startAll();
      },
      "kill both servers": async () => {
        await endAll();
        await startAll();
      },
      "set a machine back": async () => await played.setMachineBack(),
    });
    await played.expectAllWell();
  },
);

function postgresProgram(name: string, ...args: readonly string[]): void {
  execFileSync(path.join(postgresPrograms() ?? "", name), args, {
    stdio: ["ignore", "ignore", "inherit"],
  });
}
