/** What an error of SQLite or PostgreSQL means for who asked; both name the same things differently. */

/**
 * `unreachable`: try again later. `busy`: another transaction was in the way, the same may succeed now. `taken`: a value
 * that must be unique is there already. `referenced`: a row that is named is not there, or is still needed.
 */
export type DatabaseFailure = "unreachable" | "busy" | "taken" | "referenced";

const failures: readonly (readonly [RegExp, DatabaseFailure])[] = [
  [/^SQLITE_BUSY|^SQLITE_LOCKED|^40001$|^40P01$|^55P03$|^57014$/, "busy"],
  [/^SQLITE_CONSTRAINT_(?:UNIQUE|PRIMARYKEY|ROWID)$|^23505$/, "taken"],
  [/^SQLITE_CONSTRAINT_FOREIGNKEY$|^23503$/, "referenced"],
  // Class 08: the connection; 57P0x: the server is stopped or starts; 53: it has no room for more; 25P03: it gave us up.
  [/^08...$|^57P0.$|^53...$|^25P03$/, "unreachable"],
  [/^SQLITE_(?:IOERR|FULL|CANTOPEN|READONLY)/, "unreachable"],
  [
    /^E(?:CONNREFUSED|CONNRESET|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NOTFOUND|AI_AGAIN)$/,
    "unreachable",
  ],
];
/** Errors of pg's own that have no code. */
const lostConnection =
  /^(?:Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error|Client was closed)/;

/** Undefined for an error that is not of the database, or that is a mistake in a query. */
export function databaseFailure(error: unknown): DatabaseFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return failures.find(([form]) => form.test(code))?.[1];
  return lostConnection.test(error.message) ? "unreachable" : undefined;
}
