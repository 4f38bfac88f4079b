/**
 * Real servers that are killed, whose database is restarted or set back to an older day, at random moments while machines
 * report, do commands and get policies: nothing is lost, doubled, older than before, or stuck. `BACKSTAY_KILLS` says how
 * often each, `BACKSTAY_SEED` which moments.
 */
import { execFileSync } from "node:child_process";
import { cpSync, rmSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterEach, describe, expect, it } from "vitest";
import { until } from "../daemon/daemon-scene.ts";
import { PlayedFleet } from "../fleet/played-fleet.ts";
import { believesMachines, ServerScene } from "../fleet/server-scene.ts";
import {
  type PostgresCluster,
  postgresPrograms,
  startPostgres,
} from "../server/postgres-cluster.ts";

const kills = Number(process.env["BACKSTAY_KILLS"] ?? 3);
const seed = Number(process.env["BACKSTAY_SEED"] ?? 1);
const machines = 6;
const timeout = 120_000 + kills * 20_000;

let servers: ServerScene | undefined;
let fleet: PlayedFleet | undefined;
let cluster: PostgresCluster | undefined;

afterEach(async () => {
  await fleet?.stop();
  await servers?.remove();
  await cluster?.stop();
  [fleet, servers, cluster] = [undefined, undefined, undefined];
});

async function startSqlite(): Promise<{ servers: ServerScene; fleet: PlayedFleet }> {
  servers = await ServerScene.start({ args: believesMachines });
  fleet = await PlayedFleet.start(servers, machines, seed);
  return { servers, fleet };
}

async function startOnPostgres(replicas: number): Promise<{
  servers: ServerScene;
  fleet: PlayedFleet;
  cluster: PostgresCluster;
  database: string;
}> {
  cluster = await startPostgres();
  const database = await cluster.createDatabase();
  servers = await ServerScene.start({ database, replicas, args: believesMachines });
  fleet = await PlayedFleet.start(servers, machines, seed);
  return { servers, fleet, cluster, database };
}

describe("one server on SQLite", () => {
  it(`killed ${kills} times loses nothing and does nothing twice`, { timeout }, async () => {
    const { servers: scene, fleet: played } = await startSqlite();
    played.startLoad();
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(played.random() * 1500);
      await scene.endReplica(0, "SIGKILL");
      await sleep(played.random() * 500);
      await scene.startReplica(0);
    }
    await sleep(500);
    await played.stopLoad();
    await played.expectAllWell();
  });

  it(`whose database is set back ${kills} times goes on above what machines have`, {
    timeout,
  }, async () => {
    const { servers: scene, fleet: played } = await startSqlite();
    const file = path.join(scene.data(), "server.db");
    const copy = path.join(scene.folder, "yesterday.db");
    played.startLoad();
    const mayLack = new Set<string>();
    for (let restore = 0; restore < kills; restore += 1) {
      await sleep(played.random() * 800);
      rmSync(copy, { force: true });
      const before = played.delivered();
      const source = new Database(file, { readonly: true });
      await source.backup(copy);
      source.close();
      await played.changePolicy().catch(() => undefined);
      await sleep(played.random() * 1500);
      await scene.endReplica(0, "SIGKILL");
      for (const id of played.delivered()) if (!before.has(id)) mayLack.add(id);
      for (const end of ["", "-wal", "-shm"]) rmSync(`${file}${end}`, { force: true });
      cpSync(copy, file);
      await scene.startReplica(0);
    }
    await sleep(500);
    await played.stopLoad();
    await played.expectAllWell(mayLack);
  });
});

describe.skipIf(postgresPrograms() === undefined)("two servers on PostgreSQL", () => {
  it(`killed ${kills} times, one or both, lose nothing and do nothing twice`, {
    timeout,
  }, async () => {
    const { servers: scene, fleet: played } = await startOnPostgres(2);
    played.startLoad();
    for (let kill = 0; kill < kills; kill += 1) {
      await sleep(played.random() * 1500);
      const victims = played.random() < 0.25 ? [0, 1] : [kill % 2];
      await Promise.all(victims.map((at) => scene.endReplica(at, "SIGKILL")));
      await sleep(played.random() * 500);
      for (const at of victims) await scene.startReplica(at);
    }
    await sleep(500);
    await played.stopLoad();
    await played.expectAllWell();
  });

  it(`go on when their database was restarted ${kills} times`, { timeout }, async () => {
    const { fleet: played, cluster: postgres, servers: scene } = await startOnPostgres(2);
    const processes = scene.processIds;
    played.startLoad();
    for (let restart = 0; restart < kills; restart += 1) {
      await sleep(played.random() * 1500);
      await postgres.kill();
      await sleep(played.random() * 1000);
      await postgres.start();
      for (const at of [0, 1])
        await until("the server has its database again", async () => {
          await scene.client(at).get("/api/v1/tenants");
          return true;
        });
    }
    await played.stopLoad();
    await played.expectAllWell();
    expect(scene.processIds).toEqual(processes);
    for (const id of processes) process.kill(id, 0);
  });

  it(`whose database is set back ${kills} times go on above what machines have`, {
    timeout,
  }, async () => {
    const { servers: scene, fleet: played, database } = await startOnPostgres(2);
    const dump = path.join(scene.folder, "yesterday.sql");
    const psql = (...args: readonly string[]): void => {
      execFileSync(
        path.join(postgresPrograms() ?? "", "psql"),
        ["-qX", "-v", "ON_ERROR_STOP=1", ...args, database],
        {
          stdio: ["ignore", "ignore", "inherit"],
        },
      );
    };
    played.startLoad();
    const mayLack = new Set<string>();
    for (let restore = 0; restore < kills; restore += 1) {
      await sleep(played.random() * 800);
      const before = played.delivered();
      execFileSync(path.join(postgresPrograms() ?? "", "pg_dump"), ["-f", dump, database]);
      await played.changePolicy().catch(() => undefined);
      await sleep(played.random() * 1500);
      await Promise.all([0, 1].map((at) => scene.endReplica(at, "SIGKILL")));
      for (const id of played.delivered()) if (!before.has(id)) mayLack.add(id);
      psql("-c", "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
      psql("-f", dump);
      for (const at of [0, 1]) await scene.startReplica(at);
    }
    await sleep(500);
    await played.stopLoad();
    await played.expectAllWell(mayLack);
  });
});
