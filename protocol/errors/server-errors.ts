/** Failures by code: what the management server itself stands on. */
import type { ErrorSpec } from "./error-spec.ts";

export const serverErrors = {
  DATABASE_UNREACHABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "The database of the server can't be reached.",
    remedy:
      "See that the database runs and that the address, user and password given with --database are right. The server goes on by itself when it is back.",
  },
  DATABASE_NEWER: {
    kind: "permanent",
    exitCode: 1,
    title: "The database was made by a newer version of the server.",
    remedy: "Nothing was changed. Run the newer version, or one that is newer still.",
  },
  DATABASE_FOREIGN: {
    kind: "permanent",
    exitCode: 1,
    title: "The database is not one of this server.",
    remedy: "Nothing was changed. Give an empty database, or the right one.",
  },
} as const satisfies Record<string, ErrorSpec>;
