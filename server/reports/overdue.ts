/** Overdue is what the server makes of silence: it needs no word of the machine that it is late. */
import { sql } from "kysely";
import type { ServerGround } from "../ground/server-ground.ts";
import type { ServerMemory } from "./server-memory.ts";

/** When the newest good backup is too old; one that was never made counts from when the policy came. */
const limitMs = sql<number>`coalesce(last_good_ms, since_ms) + maximum_age_ms`;
const isActive = sql<boolean>`agent_id IN (SELECT id FROM agents WHERE status = 'active')`;

/** Notes what has become overdue and what is not any more. To be done every minute or so, by one replica. */
export async function noteOverdue(
  { database, now }: Pick<ServerGround, "database" | "now">,
  memory: Pick<ServerMemory, "forbears">,
): Promise<void> {
  const nowMs = now();
  await database
    .updateTable("protection")
    .set({ overdue_since_ms: null })
    .where("overdue_since_ms", "is not", null)
    .where((is) => is.or([is(limitMs, ">=", nowMs), is.not(isActive)]))
    .execute();
  if (await memory.forbears()) return;
  await database
    .updateTable("protection")
    .set({ overdue_since_ms: limitMs })
    .where("overdue_since_ms", "is", null)
    .where(limitMs, "<", nowMs)
    .where(isActive)
    .execute();
}
