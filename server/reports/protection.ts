/** How well each policy of each machine is protected, by what the server itself has heard and when. */
import type { Selectable } from "kysely";
import type { Tables } from "../database/tables.ts";
import type { Queries } from "../ground/server-ground.ts";

export type ProtectionRow = Selectable<Tables["protection"]>;

/** What counts of a backup that has ended. */
export interface EndedBackup {
  readonly policy: string;
  readonly outcome: string;
  /** It left a restore point. */
  readonly isGood: boolean;
  /** Begin and end by the server's time, none later than now. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly bytesSelected: number | null;
}

/** Policies of which only reports are known yet: the default of the policy's own objective. */
export const usualMaximumAgeMs = 26 * 3_600_000;

/** When the newest good backup became too old, ms; null if it is not. One that was never made counts from `since_ms`. */
export function overdueSinceMs(
  row: Pick<ProtectionRow, "last_good_ms" | "since_ms" | "maximum_age_ms">,
  nowMs: number,
): number | null {
  const limitMs = (row.last_good_ms ?? row.since_ms) + row.maximum_age_ms;
  return limitMs < nowMs ? limitMs : null;
}

/** The row after a backup; words that come late change only what they are newer in. */
export function afterBackup(row: ProtectionRow, backup: EndedBackup, nowMs: number): ProtectionRow {
  const isNewest = row.last_ended_ms === null || backup.endedMs >= row.last_ended_ms;
  const isNewestGood = backup.isGood && backup.startedMs >= (row.last_good_ms ?? 0);
  const next: ProtectionRow = {
    ...row,
    ...(isNewest && { last_outcome: backup.outcome, last_ended_ms: backup.endedMs }),
    ...(isNewestGood && {
      last_good_ms: backup.startedMs,
      bytes_selected: backup.bytesSelected ?? row.bytes_selected,
    }),
  };
  return { ...next, overdue_since_ms: overdueSinceMs(next, nowMs) };
}

/** A policy that the server hears of for the first time. */
export function newProtection(
  agentId: string,
  tenantId: string,
  policy: string,
  nowMs: number,
): ProtectionRow {
  return {
    agent_id: agentId,
    policy,
    tenant_id: tenantId,
    last_good_ms: null,
    last_outcome: null,
    last_ended_ms: null,
    maximum_age_ms: usualMaximumAgeMs,
    since_ms: nowMs,
    overdue_since_ms: null,
    bytes_selected: null,
    policy_version: null,
  };
}

/** Inserts or replaces. */
export async function writeProtection(queries: Queries, row: ProtectionRow): Promise<void> {
  const { agent_id: _agent, policy: _policy, ...rest } = row;
  await queries
    .insertInto("protection")
    .values(row)
    .onConflict((conflict) => conflict.columns(["agent_id", "policy"]).doUpdateSet(rest))
    .execute();
}

/** The rows of a machine by policy. */
export async function protectionOf(
  queries: Queries,
  agentId: string,
): Promise<Map<string, ProtectionRow>> {
  const rows = await queries
    .selectFrom("protection")
    .selectAll()
    .where("agent_id", "=", agentId)
    .execute();
  return new Map(rows.map((row) => [row.policy, row]));
}
