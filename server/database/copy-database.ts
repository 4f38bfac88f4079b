/** Copies a database file as it is at one moment, while servers work on it. */
import Database from "better-sqlite3";
import { unreachable } from "./open-database.ts";

/** Writes what `from` holds now to `to`, which must not exist; not yet durable. DATABASE_UNREACHABLE. */
export function copyDatabase(from: string, to: string): void {
  let database: Database.Database | undefined;
  try {
    database = new Database(from, { readonly: true, fileMustExist: true });
    // One read transaction: the file itself, without what its write-ahead log holds, would be yesterday's or torn.
    database.prepare("VACUUM INTO ?").run(to);
  } catch (error) {
    throw unreachable(error);
  } finally {
    database?.close();
  }
}
