/**
 * Which server has the gateway's folder: one, which carries a mark that the database knows. A server whose folder has
 * another mark or none (a replica, a disk that was not mounted, a copy of the database elsewhere) stores nothing in it: it
 * would begin repositories anew beside the true ones. Repositories in an object storage are at every server.
 */
import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { ServerGround } from "../ground/server-ground.ts";
import { type DataFolder, readIfThere } from "./data-folder.ts";

const fact = "gateway-folder";
const markFile = ".backstay-gateway";

/** True if this server's folder is the one. The first server of a database makes it so. SERVER_PLACE. */
export async function hasGatewayFolder(
  { database, log }: Pick<ServerGround, "database" | "log">,
  folder: DataFolder,
): Promise<boolean> {
  const read = async (): Promise<string | undefined> =>
    (
      await database
        .selectFrom("server_facts")
        .select("value")
        .where("name", "=", fact)
        .executeTakeFirst()
    )?.value;
  const file = path.join(folder.repositoriesFolder, markFile);
  let mark = (await readIfThere(file))?.trim();
  if (mark === undefined && (await read()) === undefined) {
    mark = randomUUID();
    await mkdir(folder.repositoriesFolder, { recursive: true, mode: 0o700 });
    await folder.write(file, `${mark}\n`);
  }
  if (mark !== undefined)
    await database
      .insertInto("server_facts")
      .values({ name: fact, value: mark })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .execute();
  const known = await read();
  if (known === mark) return true;
  log.warning(
    "The gateway's repositories are not in this server's folder: what is meant for them is refused here.",
    { path: file, problem: `its content would be ${known ?? ""}` },
  );
  return false;
}
