/** The tables of the server, as steps that are never edited once they have shipped: a change is a new step at the end. */
import { createHash } from "node:crypto";
import { type Kysely, sql, type Transaction } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { firstTables } from "./first-tables.ts";

export type Dialect = "sqlite" | "postgresql";

/** Statements end with a semicolon and hold none otherwise. */
const steps: readonly { readonly name: string; readonly statements: string }[] = [
  { name: "tables of the server", statements: firstTables },
  {
    name: "routes that were replaced",
    statements: `
      ALTER TABLE repositories ADD COLUMN retiring text NOT NULL DEFAULT '[]';
      ALTER TABLE machine_repositories ADD COLUMN obeyed_epoch integer`,
  },
  {
    name: "files of the gateway that are changing",
    statements: `
      CREATE TABLE gateway_changes (
        repository_id text NOT NULL,
        agent_id text NOT NULL,
        file text NOT NULL,
        tenant_id text NOT NULL,
        file_type text NOT NULL,
        file_name text NOT NULL,
        size_bytes integer NOT NULL,
        holder text NOT NULL,
        PRIMARY KEY (repository_id, agent_id, file)
      );
      CREATE INDEX gateway_changes_of_holder ON gateway_changes (holder)`,
  },
  {
    name: "tests of the places of repositories",
    statements: `
      CREATE TABLE repository_tests (
        repository_id text PRIMARY KEY REFERENCES repositories (id) ON DELETE CASCADE,
        tested_ms integer NOT NULL,
        places text NOT NULL
      )`,
  },
  {
    name: "members of pools",
    statements: `
      ALTER TABLE repositories ADD COLUMN members text NOT NULL DEFAULT '[]';
      ALTER TABLE repositories ADD COLUMN modes text NOT NULL DEFAULT '[]';
      ALTER TABLE repositories ADD COLUMN stand_number integer NOT NULL DEFAULT 0;
      ALTER TABLE machine_repositories ADD COLUMN obeyed_stand integer;
      ALTER TABLE machine_repositories ADD COLUMN is_busy integer NOT NULL DEFAULT 0;
      ALTER TABLE machine_repositories ADD COLUMN stored_stand integer NOT NULL DEFAULT 0;
      CREATE TABLE placements (
        agent_id text NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
        pool_id text NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
        generation integer NOT NULL,
        tenant_id text NOT NULL,
        repository_id text NOT NULL REFERENCES repositories (id),
        created_ms integer NOT NULL,
        PRIMARY KEY (agent_id, pool_id, generation)
      );
      CREATE INDEX placements_of_repository ON placements (repository_id)`,
  },
];

interface MigrationTables {
  migrations: { number: number; name: string; checksum: string };
}

/** Any number that no other program locks in our database. */
const migrationLock = 7_203_551_001;

/**
 * Takes the steps that a database has not had yet, all in one transaction; servers that start together take turns.
 * DATABASE_NEWER if it has had more than we know, DATABASE_FOREIGN if it has had others.
 */
export async function migrate(database: Kysely<unknown>, dialect: Dialect): Promise<void> {
  const tables = database as Kysely<MigrationTables>;
  await tables.transaction().execute(async (transaction) => {
    if (dialect === "postgresql")
      await sql`SELECT pg_advisory_xact_lock(${sql.lit(migrationLock)})`.execute(transaction);
    await run(
      transaction,
      dialect,
      "CREATE TABLE IF NOT EXISTS migrations (number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL)",
    );
    const had = await transaction.selectFrom("migrations").selectAll().orderBy("number").execute();
    if (had.length > steps.length)
      throw new BackstayError("DATABASE_NEWER", { version: had.length, known: steps.length });
    for (const [index, { name, statements }] of steps.entries()) {
      const checksum = createHash("sha256").update(statements).digest("hex");
      const done = had[index];
      if (done === undefined) {
        for (const statement of statements.split(";")) await run(transaction, dialect, statement);
        await transaction
          .insertInto("migrations")
          .values({ number: index + 1, name, checksum })
          .execute();
      } else if (done.number !== index + 1 || done.checksum !== checksum) {
        throw new BackstayError("DATABASE_FOREIGN", {
          problem: `its step ${index + 1} is not ours`,
        });
      }
    }
  });
}

/** Runs one statement in the words of the database. */
async function run(
  transaction: Transaction<MigrationTables>,
  dialect: Dialect,
  statement: string,
): Promise<void> {
  const isTable = /^\s*CREATE TABLE/.test(statement);
  const words =
    dialect === "sqlite"
      ? `${statement}${isTable ? " STRICT" : ""}`
      : // Ordered by bytes, as SQLite does, whatever the locale of the database is: cursors rely on it.
        statement.replace(/\btext\b/g, 'text COLLATE "C"').replace(/\binteger\b/g, "bigint");
  await sql.raw(words).execute(transaction);
}
