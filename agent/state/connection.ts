/** One open SQLite database, with the settings that state needs and every statement prepared once. */
import Database from "better-sqlite3";

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

/** What state needs of a database. Throws better-sqlite3's SqliteError. */
export interface Connection {
  /** Runs statements that return nothing. */
  exec(sql: string): void;
  /** The number of rows changed. */
  run(sql: string, ...values: readonly Value[]): number;
  all(sql: string, ...values: readonly Value[]): Row[];
  /** One row at a time; nothing else may be asked of this connection meanwhile. */
  each(sql: string): Iterable<Row>;
  /** Does `work` in one transaction: all of it is durable when this returns, or nothing is. */
  atomically<T>(work: () => T): T;
  close(): void;
}

export type Connect = (file: string) => Connection;

/** So long a statement waits for another process that has the database locked. */
const busyMs = 5000;

/** Opens a file, which is made if it is not there, or `:memory:`. */
export const connect: Connect = (file) => new SqliteConnection(file);

class SqliteConnection implements Connection {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement<Value[], Row>>();

  constructor(file: string) {
    this.#database = new Database(file, { timeout: busyMs });
    try {
      // EXCLUSIVE: no memory is shared through a file, which on a full disk would end the process with a bus error.
      // FULL: a commit that has returned survives a power cut; with NORMAL in WAL mode it would not.
      this.#database.exec(`
        PRAGMA locking_mode = EXCLUSIVE;
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        PRAGMA foreign_keys = ON;
        PRAGMA trusted_schema = OFF;
        PRAGMA cell_size_check = ON;
        PRAGMA cache_size = -1024;
        PRAGMA temp_store = MEMORY;
        PRAGMA journal_size_limit = 4194304;
      `);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  exec(sql: string): void {
    this.#database.exec(sql);
  }

  run(sql: string, ...values: readonly Value[]): number {
    return this.#prepared(sql).run(...values).changes;
  }

  all(sql: string, ...values: readonly Value[]): Row[] {
    return this.#prepared(sql).all(...values);
  }

  each(sql: string): Iterable<Row> {
    return this.#prepared(sql).iterate();
  }

  atomically<T>(work: () => T): T {
    return this.#database.transaction(work).immediate();
  }

  close(): void {
    this.#statements.clear();
    this.#database.close();
  }

  #prepared(sql: string): Database.Statement<Value[], Row> {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare<Value[], Row>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
