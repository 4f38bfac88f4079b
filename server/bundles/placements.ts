/**
 * Which member of a pool a machine stores in: chosen once, where the fewest machines and bytes are, and kept. A member that
 * is sealed is followed by another, where the machine begins anew; what it holds stays there.
 */
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { PoolView, RepositoryView, TenantView } from "./tenant-view.ts";

/** The members that a machine stores in, the one for new backups first; empty while none takes any. */
export async function placements(
  { database, now }: Pick<ServerGround, "database" | "now">,
  view: TenantView,
  agentId: string,
  pool: PoolView,
): Promise<RepositoryView[]> {
  for (;;) {
    const rows = await database
      .selectFrom("placements")
      .select(["generation", "repository_id"])
      .where("agent_id", "=", agentId)
      .where("pool_id", "=", pool.id)
      .orderBy("generation", "desc")
      .execute();
    const byId = new Map([...view.repositories.values()].map((each) => [each.id, each]));
    const placed = [...new Set(rows.map((row) => row.repository_id))];
    const known = placed.flatMap((id) => byId.get(id) ?? []);
    const [newest] = known;
    if (newest !== undefined && !newest.stand.modes.includes("sealed")) return known;
    const next = await emptiest(database, view, pool);
    if (next === undefined) return known;
    await database
      .insertInto("placements")
      .values({
        agent_id: agentId,
        pool_id: pool.id,
        generation: (rows[0]?.generation ?? 0) + 1,
        tenant_id: view.tenantId,
        repository_id: next.id,
        created_ms: now(),
      })
      // Another replica was faster: what it chose counts.
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Of the active members the one with the fewest machines, then bytes, then the first by name. */
async function emptiest(
  queries: Queries,
  view: TenantView,
  pool: PoolView,
): Promise<RepositoryView | undefined> {
  const open = pool.members
    .flatMap((name) => view.repositories.get(name) ?? [])
    .filter(({ stand }) => stand.modes.length === 0);
  if (open.length < 2) return open[0];
  const ids = open.map(({ id }) => id);
  const machines = await queries
    .selectFrom("placements as placed")
    .select(({ fn }) => ["repository_id", fn.countAll().as("count")])
    .where("repository_id", "in", ids)
    .where((test) =>
      test.not(
        test.exists(
          test
            .selectFrom("placements as later")
            .select("later.agent_id")
            .whereRef("later.agent_id", "=", "placed.agent_id")
            .whereRef("later.pool_id", "=", "placed.pool_id")
            .whereRef("later.generation", ">", "placed.generation"),
        ),
      ),
    )
    .groupBy("repository_id")
    .execute();
  const stored = await queries
    .selectFrom("machine_repositories")
    .select(({ fn }) => ["repository_id", fn.sum("stored_bytes").as("bytes")])
    .where("repository_id", "in", ids)
    .groupBy("repository_id")
    .execute();
  const count = (id: string): number =>
    Number(machines.find((row) => row.repository_id === id)?.count ?? 0);
  const bytes = (id: string): number =>
    Number(stored.find((row) => row.repository_id === id)?.bytes ?? 0);
  return open.toSorted(
    (a, b) =>
      count(a.id) - count(b.id) ||
      bytes(a.id) - bytes(b.id) ||
      (a.destination.name < b.destination.name ? -1 : 1),
  )[0];
}
