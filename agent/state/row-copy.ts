/** Everything that one database holds, put into another one of the same tables. */
import type { Connection, Row, Value } from "./connection.ts";
import { isIntact } from "./rows.ts";

/** Names of the tables with our rows, those that others point to first. */
function tableNames(connection: Connection): string[] {
  const rows = connection.all(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'migrations' ORDER BY rowid",
  );
  return rows.map((row) => String(row["name"]));
}

/** True if no row of any table has changed since it was written. */
export function areAllIntact(connection: Connection): boolean {
  for (const name of tableNames(connection))
    for (const row of connection.each(`SELECT * FROM ${name}`)) if (!isIntact(row)) return false;
  return true;
}

/**
 * Makes `to` hold what `from` holds and nothing else, in one transaction. What can't be read in `from`, or is not
 * as it was written, is left out.
 */
export function copyRows(from: Connection, to: Connection): void {
  to.atomically(() => {
    const names = tableNames(to);
    for (const name of names.toReversed()) to.run(`DELETE FROM ${name}`);
    const sessions = new Set<Value>();
    for (const name of names)
      for (const row of readableRows(from, name)) {
        if (name === "sessions") sessions.add(row["id"] ?? null);
        // The issues of a session that is lost belong to nothing.
        else if (name === "session_issues" && !sessions.has(row["session"] ?? null)) continue;
        insert(to, name, row);
      }
  });
}

function* readableRows(from: Connection, name: string): Iterable<Row> {
  let rows: Iterator<Row> | undefined;
  try {
    for (;;) {
      let next: IteratorResult<Row>;
      try {
        rows ??= from.each(`SELECT * FROM ${name}`)[Symbol.iterator]();
        next = rows.next();
      } catch {
        // The disk does not give the rest back; that there is trouble, the caller has told.
        return;
      }
      if (next.done === true) return;
      if (isIntact(next.value)) yield next.value;
    }
  } finally {
    rows?.return?.();
  }
}

function insert(to: Connection, name: string, row: Row): void {
  const columns = Object.keys(row);
  to.run(
    `INSERT INTO ${name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    ...Object.values(row),
  );
}
