/** Reading one secret of a tenant, for the rooms that use one themselves; who writes them is server/bundles. */
import type { Queries, ServerGround } from "./server-ground.ts";

/** What binds a sealed value to its place in the database. */
export function secretContext(tenantId: string, name: string): string {
  return `secret:${tenantId}:${name}`;
}

/** The value of a tenant's secret; undefined if there is none of the name. */
export async function tenantSecret(
  queries: Queries,
  { vault }: Pick<ServerGround, "vault">,
  tenantId: string,
  name: string,
): Promise<Buffer | undefined> {
  const row = await queries
    .selectFrom("secrets")
    .select("sealed")
    .where("tenant_id", "=", tenantId)
    .where("name", "=", name)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return Buffer.from(vault.open(row.sealed, secretContext(tenantId, name)));
}
