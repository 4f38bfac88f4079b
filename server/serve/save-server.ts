/** Copies what a server can't do without, while it runs. The copy is a data folder itself: to restore it is to use it. */
import { existsSync } from "node:fs";
import { chmod, readdir } from "node:fs/promises";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { copyDatabase } from "../database/copy-database.ts";
import { DataFolder, databaseFileOf, masterKeyFileOf, readIfThere } from "./data-folder.ts";

export interface SavedServer {
  /** False if the server was given a master key from elsewhere: it is not in the copy then. */
  readonly hasMasterKey: boolean;
}

/**
 * Copies database and master key of the data folder `from` to `to`, which is made, or must be empty. SERVER_PLACE,
 * DATABASE_UNREACHABLE. What the gateway stores is not copied.
 */
export async function saveServer(from: string, to: string): Promise<SavedServer> {
  const database = databaseFileOf(from);
  const masterKey = await readIfThere(masterKeyFileOf(from));
  if (!existsSync(database))
    throw new BackstayError("SERVER_PLACE", {
      path: from,
      problem: "no database is in it; one of PostgreSQL is copied with pg_dump",
    });
  if ((await readdir(to).catch(() => [])).length > 0)
    throw new BackstayError("SERVER_PLACE", { path: to, problem: "something is in it already" });
  const target = await DataFolder.open(to);
  try {
    copyDatabase(database, target.databaseFile);
    await chmod(target.databaseFile, 0o600);
    const files = openDurableFiles();
    await files.syncFile(target.databaseFile);
    if (masterKey !== undefined) await target.write(target.masterKeyFile, masterKey);
    await files.syncDirectory(to);
    return { hasMasterKey: masterKey !== undefined };
  } finally {
    target.close();
  }
}
