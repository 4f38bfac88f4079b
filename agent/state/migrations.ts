/** The tables of the state, as steps that are never edited once they have shipped: a change is a new step at the end. */
import { createHash } from "node:crypto";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Connection } from "./connection.ts";

/** In this order. `checksum` is the last column of every table: rows.ts fills and compares it. */
const steps: readonly { readonly name: string; readonly sql: string }[] = [
  {
    name: "tables of the daemon",
    sql: `
      CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL UNIQUE,
        policy TEXT NOT NULL,
        state TEXT NOT NULL,
        outcome TEXT,
        is_good INTEGER NOT NULL,
        finished_ms INTEGER,
        record TEXT NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX sessions_of_policy ON sessions (policy, sequence);
      CREATE INDEX sessions_by_state ON sessions (state, sequence);
      CREATE TABLE session_issues (
        session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        first INTEGER NOT NULL,
        count INTEGER NOT NULL,
        issues TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (session, first)
      ) STRICT;
      CREATE TABLE schedule_memory (
        policy TEXT PRIMARY KEY,
        memory TEXT NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE policies (
        name TEXT PRIMARY KEY,
        document TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        origin TEXT NOT NULL,
        applied_ms INTEGER NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE conditions (
        code TEXT NOT NULL,
        subject TEXT NOT NULL,
        severity TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        acknowledged_ms INTEGER,
        facts TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        PRIMARY KEY (code, subject)
      ) STRICT;
      CREATE TABLE outbox (
        id TEXT PRIMARY KEY,
        channel TEXT NOT NULL,
        body TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        last_error TEXT,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX outbox_by_time ON outbox (due_ms);
      CREATE TABLE outbox_losses (
        channel TEXT PRIMARY KEY,
        count INTEGER NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE facts (
        name TEXT PRIMARY KEY,
        value TEXT NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
    `,
  },
  {
    name: "commands of the server and reports to it",
    sql: `
      CREATE TABLE commands (
        id TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL UNIQUE,
        document TEXT NOT NULL,
        state TEXT NOT NULL,
        progress TEXT NOT NULL,
        is_told INTEGER NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX commands_by_told ON commands (is_told, sequence);
      CREATE TABLE reports (
        id TEXT PRIMARY KEY,
        sequence INTEGER NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        body TEXT,
        created_ms INTEGER NOT NULL,
        delivered_ms INTEGER,
        checksum INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX reports_waiting ON reports (sequence) WHERE delivered_ms IS NULL;
      CREATE INDEX reports_by_delivery ON reports (delivered_ms);
    `,
  },
  {
    name: "bundles of the server",
    sql: `
      CREATE TABLE accepted_bundles (
        place INTEGER PRIMARY KEY,
        jws TEXT NOT NULL,
        floors TEXT NOT NULL,
        accepted_ms INTEGER NOT NULL,
        checksum INTEGER NOT NULL
      ) STRICT;
    `,
  },
];

/**
 * Takes the steps that a database has not had yet, each in one transaction. STATE_NEWER if it has had more than we
 * know, STATE_DAMAGED if it has had others.
 */
export function migrate(connection: Connection): void {
  const tables = connection.all("SELECT name FROM sqlite_schema WHERE type = 'table'");
  if (tables.length > 0 && !tables.some((table) => table["name"] === "migrations"))
    throw new BackstayError("STATE_DAMAGED", { problem: "it is another program's" });
  connection.exec(
    "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL) STRICT",
  );
  const had = connection.all("SELECT number, checksum FROM migrations ORDER BY number");
  if (had.length > steps.length)
    throw new BackstayError("STATE_NEWER", { version: had.length, known: steps.length });
  for (const [index, step] of steps.entries()) {
    const checksum = createHash("sha256").update(step.sql).digest("hex");
    const done = had[index];
    if (done === undefined) {
      connection.atomically(() => {
        connection.exec(step.sql);
        connection.run("INSERT INTO migrations VALUES (?, ?, ?)", index + 1, step.name, checksum);
      });
    } else if (done["number"] !== index + 1 || done["checksum"] !== checksum) {
      throw new BackstayError("STATE_DAMAGED", { problem: `its step ${index + 1} is not ours` });
    }
  }
}
