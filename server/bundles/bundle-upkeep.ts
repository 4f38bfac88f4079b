/** What bundles depend on beside the database: this server's addresses and pins. Also keeps destinations signed, and ends routes. */
import type { ServerGround } from "../ground/server-ground.ts";
import type { Repositories } from "./repositories.ts";
import { endConfirmed } from "./retiring-routes.ts";

const fact = "addresses";

/**
 * Ends the routes that all machines have left. When the addresses or pins are others than at the last look, machines get new bundles, and destinations that lead to this
 * server's gateway are signed anew (or wait for their signature). For one replica at a time, at start and every minute or
 * so; all replicas are given the same addresses.
 */
export async function keepBundlesCurrent(
  ground: ServerGround,
  repositories: Repositories,
): Promise<void> {
  await repositories.refresh("server");
  await endConfirmed(ground);
  const { database, settings, wakeups } = ground;
  const value = JSON.stringify([settings.publicUrls, settings.pins]);
  const known = await database
    .selectFrom("server_facts")
    .select("value")
    .where("name", "=", fact)
    .executeTakeFirst();
  if (known?.value === value) return;
  await database.transaction().execute(async (queries) => {
    await queries
      .insertInto("server_facts")
      .values({ name: fact, value })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
      .execute();
    await queries
      .updateTable("tenants")
      .set((row) => ({ revision: row("revision", "+", 1) }))
      .execute();
  });
  for (const { id } of await database.selectFrom("tenants").select("id").execute())
    await wakeups.publish(`tenant:${id}`);
}
