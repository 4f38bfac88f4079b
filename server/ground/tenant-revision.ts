/** Notes that bundles of a tenant may have to be compiled anew. */
import type { Queries } from "./server-ground.ts";

/**
 * Raises the revision of a tenant, in the transaction of the change. After it, publish `tenant:<id>`
 * (Wakeups), so that waiting agents look.
 */
export async function raiseTenantRevision(queries: Queries, tenantId: string): Promise<void> {
  await queries
    .updateTable("tenants")
    .set((row) => ({ revision: row("revision", "+", 1) }))
    .where("id", "=", tenantId)
    .execute();
}
