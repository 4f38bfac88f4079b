/** Opens the database of the server: a file of SQLite, or PostgreSQL at an address. The same queries run on both. */
import { chmodSync } from "node:fs";
import Database from "better-sqlite3";
import { type Dialect as DialectOfKysely, Kysely, PostgresDialect, SqliteDialect } from "kysely";
import { Pool, type PoolConfig, types } from "pg";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import { withKeptStatements } from "./kept-statements.ts";
import { type Dialect, migrate } from "./migrations.ts";
import type { Tables } from "./tables.ts";

export interface OpenDatabase {
  /**
   * In a transaction ask only the transaction, never this: SQLite has one connection, so that the two would wait for each
   * other for ever. For the same reason nothing but queries may be waited for in a transaction.
   */
  readonly database: Kysely<Tables>;
  readonly dialect: Dialect;
  /** Where connections of one's own (LISTEN) are made; undefined for SQLite. */
  readonly connection: PoolConfig | undefined;
  close(): Promise<void>;
}

/** So long a statement waits for another process that has the file locked. */
const busyMs = 5000;
const connectionsMax = 10;
/** A statement that takes longer is ended by PostgreSQL. */
const statementMs = 30_000;
const idleTransactionMs = 60_000;
const connectMs = 10_000;

/** PostgreSQL's types that hold numbers but come as text: int8, and numeric, the type of a sum of int8. */
const wideNumbers: ReadonlySet<number> = new Set([types.builtins.INT8, types.builtins.NUMERIC]);

/** True for the address of a PostgreSQL server; everything else is the name of a file. */
export function isPostgresAddress(address: string): boolean {
  return /^postgres(?:ql)?:\/\//.test(address);
}

/**
 * Opens the database at `address` (`postgres://…` or the path of a file, which is made) and brings its tables up to date.
 * DATABASE_UNREACHABLE, DATABASE_NEWER, DATABASE_FOREIGN.
 */
export async function openDatabase(address: string): Promise<OpenDatabase> {
  const isPostgres = isPostgresAddress(address);
  const connection = isPostgres ? postgresConnection(address) : undefined;
  const dialect: Dialect = isPostgres ? "postgresql" : "sqlite";
  const database = new Kysely<Tables>({
    dialect: connection === undefined ? openFile(address) : openPool(connection),
  });
  try {
    await migrate(database as Kysely<unknown>, dialect);
  } catch (error) {
    await database.destroy();
    throw isBackstayError(error) ? error : unreachable(error);
  }
  return { database, dialect, connection, close: async () => await database.destroy() };
}

function postgresConnection(address: string): PoolConfig {
  return {
    connectionString: address,
    max: connectionsMax,
    connectionTimeoutMillis: connectMs,
    keepAlive: true,
    statement_timeout: statementMs,
    idle_in_transaction_session_timeout: idleTransactionMs,
    application_name: "backstay-server",
    types: {
      getTypeParser: (id: number, format?: "text" | "binary") =>
        wideNumbers.has(id) ? Number : (types.getTypeParser(id, format as "text") as never),
    },
  };
}

function openPool(connection: PoolConfig): DialectOfKysely {
  const pool = new Pool(connection);
  // An idle connection that breaks is replaced by the next query; unheard, its event would end the process.
  pool.on("error", () => undefined);
  // The same for one that is in use, but between two queries of a transaction: the next query rejects.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return new PostgresDialect({ pool });
}

function openFile(path: string): DialectOfKysely {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { timeout: busyMs });
    chmodSync(path, 0o600);
    // FULL: a commit that has returned survives a power cut; with NORMAL in WAL mode it would not.
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
      PRAGMA cache_size = -32768;
      PRAGMA temp_store = MEMORY;
      PRAGMA journal_size_limit = 67108864;
    `);
  } catch (error) {
    database?.close();
    throw unreachable(error);
  }
  return new SqliteDialect({ database: withKeptStatements(database) });
}

/** What people do something about, by the codes of PostgreSQL, SQLite and the system. */
const problems: Readonly<Record<string, string>> = {
  "28P01": "the password is wrong",
  "28000": "the user is not let in",
  "3D000": "there is no such database",
  "42501": "the user may not make tables there",
  "57P03": "it is starting or stopping",
  ERR_INVALID_URL: "its address is not postgres://USER:PASSWORD@HOST:PORT/NAME",
  ECONNREFUSED: "nobody listens at this address",
  ENOTFOUND: "there is no host of this name",
  EAI_AGAIN: "the name of the host can't be looked up now",
  SQLITE_NOTADB: "the file is no database",
  SQLITE_CORRUPT: "the file is damaged",
  SQLITE_CANTOPEN: "the file can't be opened",
  SQLITE_READONLY: "the file can't be written",
};

/** What is wrong with a database, in words; without its address, which may hold a password. */
export function unreachable(error: unknown): BackstayError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const known = typeof code === "string" ? problems[code] : undefined;
  const problem = known === undefined ? String(code ?? message) : `${known} (${String(code)})`;
  // Node's complaint of an address that is none quotes it.
  const cause = code === "ERR_INVALID_URL" ? undefined : error;
  return new BackstayError("DATABASE_UNREACHABLE", { problem }, cause);
}
