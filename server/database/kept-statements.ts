/**
 * SQLite's statements, compiled once: the server asks the same few hundred again and again, and compiling costs as much as
 * running them.
 */
import type Database from "better-sqlite3";

type Statement = Database.Statement<unknown[]>;

/** What kysely needs of a database. */
export interface StatementSource {
  prepare(sql: string): Statement;
  close(): void;
}

const keptMax = 500;

/** `database` with its newest statements kept. A statement that is being iterated is not shared. */
export function withKeptStatements(database: Database.Database): StatementSource {
  const kept = new Map<string, Statement>();
  return {
    prepare(sql) {
      const known = kept.get(sql);
      if (known?.busy === true) return database.prepare(sql);
      const statement = known ?? database.prepare(sql);
      kept.delete(sql);
      kept.set(sql, statement);
      const [oldest] = kept.keys();
      if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
      return statement;
    },
    close() {
      kept.clear();
      database.close();
    },
  };
}
