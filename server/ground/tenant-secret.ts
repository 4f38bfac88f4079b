/** Secrets of a tenant, for the rooms that use them or name them; who writes them is server/bundles. */
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

/** Those of the names that no secret of the tenant has, in their order. */
export async function missingSecrets(
  queries: Queries,
  tenantId: string,
  names: readonly string[],
): Promise<string[]> {
  if (names.length === 0) return [];
  const found = await queries
    .selectFrom("secrets")
    .select("name")
    .where("tenant_id", "=", tenantId)
    .where("name", "in", names)
    .execute();
  return names.filter((name) => !found.some((row) => row.name === name));
}
