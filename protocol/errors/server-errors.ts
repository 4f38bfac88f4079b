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
  VAULT_KEY: {
    kind: "permanent",
    exitCode: 1,
    title: "The master key of the server can't be read.",
    remedy:
      "Put back the file of the master key from your backup of the server. Without it nothing that the server has sealed can be read; a new key is not made for a database that has one. Replicas share one file, given with --master-key-file.",
  },
  VAULT_UNREADABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "Something that the server has sealed can't be opened.",
    remedy:
      "The master key is another one than that of this database, or the database is damaged. Give the server the master key that belongs to the database.",
  },
  SERVER_RUNNING: {
    kind: "permanent",
    exitCode: 1,
    title: "Another server runs already with the same data folder.",
    remedy:
      "Nothing was changed. End the other one first. Replicas have a data folder each and share a PostgreSQL database.",
  },
  SERVER_PLACE: {
    kind: "permanent",
    exitCode: 1,
    title: "The data folder of the server can't be used.",
    remedy:
      "Run the server as the user to whom the folder belongs, or change its owner; see that the disk has room.",
  },
  SERVER_ADDRESS: {
    kind: "permanent",
    exitCode: 1,
    title: "The server can't listen at this address.",
    remedy:
      "Give an address of this machine and a free port with --listen. Ports below 1024 need the right to use them.",
  },
  TLS_FILES: {
    kind: "permanent",
    exitCode: 1,
    title: "The certificate or its key can't be used.",
    remedy:
      "Give PEM files that belong together with --tls-cert and --tls-key. While the server runs, it goes on with those that it has.",
  },
} as const satisfies Record<string, ErrorSpec>;
