/** Runs the same tests on SQLite and on PostgreSQL: one cluster a test file, a new database a test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { type PostgresCluster, postgresPrograms, startPostgres } from "./postgres-cluster.ts";

/** Makes an empty database; its address is for openDatabase or for `--database`. */
export type FreshDatabase = () => Promise<string>;

/** Describes `body` once for each database. Where PostgreSQL is not installed its half is shown as skipped. */
export function eachDatabase(title: string, body: (fresh: FreshDatabase) => void): void {
  describe(`${title}, on SQLite`, () => {
    let folder = "";
    let made = 0;
    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), "backstay-database-"));
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    body(async () => {
      made++;
      return path.join(folder, `server-${made}.db`);
    });
  });

  const isHere = postgresPrograms() !== undefined;
  const name = isHere ? "PostgreSQL" : "PostgreSQL, which is not on this machine";
  describe.skipIf(!isHere)(`${title}, on ${name}`, () => {
    let cluster: PostgresCluster;
    beforeAll(async () => {
      cluster = await startPostgres();
    }, 60_000);
    afterAll(async () => {
      await cluster.stop();
    });
    body(async () => await cluster.createDatabase());
  });
}
