/**
 * The database that state is in: the file while the disk takes it, memory while it does not. A write never fails
 * because of the disk: what is in the file goes on in memory, and back when that is possible again.
 */
import path from "node:path";
import type { Connection } from "./connection.ts";
import { migrate } from "./migrations.ts";
import { copyRows } from "./row-copy.ts";
import { Rows } from "./rows.ts";
import { setAside } from "./set-aside.ts";
import { stateError } from "./state-error.ts";
import { openStateFile, type StateFileOptions, withCopyOfFile } from "./state-file.ts";

export class StateDatabase {
  readonly #options: StateFileOptions;
  #connection: Connection;
  #rows: Rows;
  #keptIn: "disk" | "memory" = "disk";
  /** The file is to be set aside before state returns to it. */
  #isFileDamaged = false;

  /** Opens the file, or begins in memory with what can be read of it. Troubles are told before this returns. */
  constructor(options: StateFileOptions) {
    this.#options = options;
    try {
      this.#connection = openStateFile(options);
    } catch (error) {
      this.#connection = this.#inMemory(error);
    }
    this.#rows = new Rows(this.#connection);
  }

  get keptIn(): "disk" | "memory" {
    return this.#keptIn;
  }

  /** Does `work`, which only reads; a second time on what memory has if the disk failed. */
  read<T>(work: (rows: Rows) => T): T {
    try {
      return work(this.#rows);
    } catch (error) {
      this.#moveToMemory(error);
      return work(this.#rows);
    }
  }

  /** Does `work` in one transaction, durable when this returns unless state is in memory. */
  write<T>(work: (rows: Rows) => T): T {
    try {
      return this.#connection.atomically(() => work(this.#rows));
    } catch (error) {
      this.#moveToMemory(error);
      return this.#connection.atomically(() => work(this.#rows));
    }
  }

  /** True if state is on the disk, or is there again. */
  returnToDisk(): boolean {
    if (this.#keptIn === "disk") return true;
    const { folder, nowMs } = this.#options;
    try {
      if (this.#isFileDamaged) setAside(path.join(folder, "state.db"), nowMs());
      this.#isFileDamaged = false;
      const disk = openStateFile(this.#options);
      try {
        copyRows(this.#connection, disk);
      } catch (error) {
        disk.close();
        throw error;
      }
      this.#use(disk, "disk");
      return true;
    } catch (error) {
      if (stateError(error, folder) === undefined) throw error;
      return false;
    }
  }

  close(): void {
    this.returnToDisk();
    this.#connection.close();
  }

  #moveToMemory(error: unknown): void {
    // In memory the same failure is no disk's, and another one is a mistake of ours.
    if (this.#keptIn === "memory" || stateError(error, this.#options.folder) === undefined)
      throw error;
    this.#use(this.#inMemory(error, this.#connection), "memory");
  }

  #use(connection: Connection, keptIn: "disk" | "memory"): void {
    const before = this.#connection;
    this.#connection = connection;
    this.#rows = new Rows(connection);
    this.#keptIn = keptIn;
    before.close();
  }

  /** A database in memory with all that can still be read, after telling why. */
  #inMemory(error: unknown, source?: Connection): Connection {
    const { folder, connect, onTrouble } = this.#options;
    const trouble = stateError(error, folder);
    if (trouble === undefined) throw error;
    onTrouble(trouble);
    this.#keptIn = "memory";
    this.#isFileDamaged = trouble.code === "STATE_DAMAGED";
    const memory = connect(":memory:");
    migrate(memory);
    if (source !== undefined) copyRows(source, memory);
    else withCopyOfFile(path.join(folder, "state.db"), connect, (copy) => copyRows(copy, memory));
    return memory;
  }
}
