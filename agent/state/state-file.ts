/** Opens the database file: checks it, sets it aside if it can't be used, and sees that it can be written. */
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { BackstayError, isBackstayError } from "../../protocol/backstay-error.ts";
import type { Connect, Connection } from "./connection.ts";
import { migrate } from "./migrations.ts";
import { areAllIntact } from "./row-copy.ts";
import { companions, setAside } from "./set-aside.ts";
import { stateError } from "./state-error.ts";

export interface StateFileOptions {
  readonly folder: string;
  readonly connect: Connect;
  /** Wall clock, ms; names what is set aside. */
  readonly nowMs: () => number;
  /** Told of a database that was set aside. */
  readonly onTrouble: (trouble: BackstayError) => void;
}

/**
 * Opens `state.db` of a folder, with our tables, writable. One that is damaged or newer than us is set aside, told,
 * and a fresh one takes its place. Throws STATE_FULL, STATE_READ_ONLY, STATE_BROKEN, STATE_BUSY.
 */
export function openStateFile(options: StateFileOptions): Connection {
  const { folder } = options;
  const file = path.join(folder, "state.db");
  try {
    makeFolder(folder);
    makePrivate(file);
    try {
      return openChecked(options, file);
    } catch (error) {
      const trouble = stateError(error, folder);
      const isUseless =
        isBackstayError(trouble, "STATE_DAMAGED") || isBackstayError(trouble, "STATE_NEWER");
      if (!isUseless) throw error;
      const keptAs = setAside(file, options.nowMs());
      syncFolder(folder);
      options.onTrouble(new BackstayError(trouble.code, { ...trouble.context, keptAs }, error));
      makePrivate(file);
      return openChecked(options, file);
    }
  } catch (error) {
    throw stateError(error, folder) ?? error;
  }
}

function openChecked({ connect }: StateFileOptions, file: string): Connection {
  const connection = connect(file);
  try {
    const found = connection.all("PRAGMA integrity_check(1)")[0]?.["integrity_check"];
    if (found !== "ok")
      throw new BackstayError("STATE_DAMAGED", { problem: String(found).slice(0, 200) });
    migrate(connection);
    if (schemaOf(connection) !== ourSchema(connect))
      throw new BackstayError("STATE_DAMAGED", { problem: "its tables are not ours" });
    if (!areAllIntact(connection))
      throw new BackstayError("STATE_DAMAGED", { problem: "rows are not as they were written" });
    // Reading works on a full or read-only disk too; this does not.
    const opened = Number(connection.all("PRAGMA user_version")[0]?.["user_version"]);
    connection.exec(`PRAGMA user_version = ${(opened % 1_000_000_000) + 1}`);
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * Opens a copy of a database in the system's folder for temporary files, for as long as `work` takes: where nothing
 * can be written, SQLite does not even read. Nothing happens if there is no database that can be copied and opened.
 */
export function withCopyOfFile(
  file: string,
  connect: Connect,
  work: (copy: Connection) => void,
): void {
  let folder: string | undefined;
  let copy: Connection | undefined;
  try {
    folder = mkdtempSync(path.join(tmpdir(), "backstay-state-"));
    const target = path.join(folder, "state.db");
    for (const companion of companions)
      if (companion !== "-shm" && existsSync(file + companion))
        copyFileSync(file + companion, target + companion);
    copy = connect(target);
    migrate(copy);
  } catch {
    // As good as no database; why the file can't be used, the caller has told.
    copy?.close();
    copy = undefined;
  }
  try {
    if (copy !== undefined) work(copy);
  } finally {
    copy?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

let knownSchema: string | undefined;

/** What our steps make of an empty database. */
function ourSchema(connect: Connect): string {
  if (knownSchema !== undefined) return knownSchema;
  const model = connect(":memory:");
  migrate(model);
  knownSchema = schemaOf(model);
  model.close();
  return knownSchema;
}

function schemaOf(connection: Connection): string {
  return JSON.stringify(
    connection.all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name"),
  );
}

function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  syncFolder(path.dirname(folder));
}

/** SQLite gives its other files the permissions of the database. */
function makePrivate(file: string): void {
  if (existsSync(file)) return;
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
  syncFolder(path.dirname(file));
}

function syncFolder(folder: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(folder, "r");
  } catch {
    // Not every system opens folders; where it does not, names are durable by themselves.
    return;
  }
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
