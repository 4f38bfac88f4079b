/**
 * Rows of the state's tables, each with a checksum over all its columns: SQLite has none of its own, and a flipped
 * bit in a value would be believed.
 */
import { crc32 } from "node:zlib";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Connection, Row, Value } from "./connection.ts";

/** A table by its name and its primary key. */
export interface Table {
  readonly name: string;
  readonly key: readonly string[];
}

export class Rows {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Rows of one table with all their columns. STATE_DAMAGED if one is not what was written. */
  all(sql: string, ...values: readonly Value[]): Row[] {
    const rows = this.#connection.all(sql, ...values);
    const bad = rows.filter((row) => !isIntact(row)).length;
    if (bad > 0)
      throw new BackstayError("STATE_DAMAGED", { problem: "rows are not as written", rows: bad });
    return rows;
  }

  first(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.all(sql, ...values)[0];
  }

  /** The only value of the first row. */
  value(sql: string, ...values: readonly Value[]): Value {
    return Object.values(this.#connection.all(sql, ...values)[0] ?? {})[0] ?? null;
  }

  /** Numbers by name: the first two columns of each row. */
  counts(sql: string, ...values: readonly Value[]): { name: string; count: number }[] {
    return this.#connection.all(sql, ...values).map((row) => {
      const [name, count] = Object.values(row);
      return { name: String(name), count: Number(count) };
    });
  }

  /** Inserts a row with all its columns but the checksum, or replaces the one of the same key. */
  put(table: Table, row: Row): void {
    const columns = [...Object.keys(row), "checksum"];
    const others = columns.filter((column) => !table.key.includes(column));
    this.#connection.run(
      `INSERT INTO ${table.name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})
       ON CONFLICT (${table.key.join(", ")}) DO UPDATE SET ${others.map((column) => `${column} = excluded.${column}`).join(", ")}`,
      ...Object.values(row),
      checksumOf(row),
    );
  }

  /** Runs a DELETE; the number of rows that went. */
  remove(sql: string, ...values: readonly Value[]): number {
    return this.#connection.run(sql, ...values);
  }
}

/** True if no column of a row has changed since it was written. */
export function isIntact(row: Row): boolean {
  return row["checksum"] === checksumOf(row);
}

/** Columns by name, so that their order in a table does not matter. */
function checksumOf(row: Row): number {
  const columns = Object.keys(row).filter((column) => column !== "checksum");
  return crc32(JSON.stringify(columns.sort().map((column) => [column, row[column]])));
}
