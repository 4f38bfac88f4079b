/** Reports are kept for a bounded time, counted by the server's own clock. */
import type { ServerGround } from "../ground/server-ground.ts";

const dayMs = 86_400_000;
const keptDays = { session: 400, event: 90 } as const;
const rowsAtOnce = 1000;

/** Removes the oldest. To be done every hour or so, by one replica. */
export async function dropOldReports({
  database,
  now,
}: Pick<ServerGround, "database" | "now">): Promise<void> {
  for (const [kind, days] of Object.entries(keptDays))
    for (;;) {
      const old = database
        .selectFrom("reports")
        .select("received_ms")
        .where("received_ms", "<", now() - days * dayMs)
        .where("kind", "=", kind)
        .orderBy("received_ms")
        .limit(rowsAtOnce);
      const [last] = (await old.execute()).slice(-1);
      if (last === undefined) break;
      await database
        .deleteFrom("reports")
        .where("received_ms", "<=", last.received_ms)
        .where("kind", "=", kind)
        .execute();
    }
}
