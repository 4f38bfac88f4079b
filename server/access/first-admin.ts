/** The tokens that the server makes by itself: one for the first administrator, once, and one for its own machine. */
import type { ServerGround } from "../ground/server-ground.ts";
import type { ApiTokens } from "./api-tokens.ts";

const madeFact = "first-admin";

/** The first administrator's token if there was none before, on no replica; undefined for ever after. */
export async function makeFirstAdmin(
  ground: ServerGround,
  tokens: ApiTokens,
): Promise<string | undefined> {
  return await ground.database.transaction().execute(async (queries) => {
    const { numInsertedOrUpdatedRows } = await queries
      .insertInto("server_facts")
      .values({ name: madeFact, value: String(ground.now()) })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .executeTakeFirstOrThrow();
    if (numInsertedOrUpdatedRows !== 1n) return undefined;
    const made = await tokens.make(queries, "server", {
      name: "first administrator",
      tenantId: null,
      role: "admin",
      expiresMs: null,
    });
    return made.text;
  });
}

/** A token for commands on the server's own machine: `kept` if it still counts, else a new one. */
export async function localAdminToken(
  ground: ServerGround,
  tokens: ApiTokens,
  kept: string | undefined,
): Promise<string> {
  const principal = kept === undefined ? undefined : await tokens.principalOf(kept);
  if (kept !== undefined && principal?.role === "admin" && principal.scope === null) return kept;
  const made = await tokens.make(ground.database, "server", {
    name: "local access",
    tenantId: null,
    role: "admin",
    expiresMs: null,
  });
  return made.text;
}
