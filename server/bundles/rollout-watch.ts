/** What became of the machines that a rollout has reached: noted when they are reached, compared with what is known now. */
import type { Queries } from "../ground/server-ground.ts";
import { assignedAgents } from "./policy-assignments.ts";
import { isReached, type RolloutObservation, type RolloutStand } from "./rollout.ts";

/** A policy that is being rolled out. */
export interface RollingPolicy {
  readonly id: string;
  readonly name: string;
  readonly policyVersion: number;
  readonly stand: RolloutStand;
}

/** What is known of a machine now. */
interface MachineNow {
  readonly id: string;
  readonly lastSeenMs: number | null;
  readonly isRefusing: boolean;
  readonly outcome: string | null;
  readonly endedMs: number | null;
  readonly bytesSelected: number | null;
  readonly policyVersion: number | null;
}

interface Member {
  readonly wasRefusing: boolean;
  readonly outcome: string | null;
  readonly bytesSelected: number | null;
  readonly lastSeenMs: number | null;
  readonly joinedMs: number;
}

const batchRows = 500;
/** Not heard of for so long, a machine that polls every few minutes is silent. */
const silentMs = 2 * 3_600_000;
const failed = "failure";

/**
 * Notes the machines that have been reached since the last look, as they were before, and tells how all of them fare.
 */
export async function watchRollout(
  queries: Queries,
  policy: RollingPolicy,
  nowMs: number,
): Promise<RolloutObservation> {
  const { stand } = policy;
  const members = await membersOf(queries, stand.id);
  const reached: MachineNow[] = [];
  const others: MachineNow[] = [];
  const ids = await assignedAgents(queries, policy.id);
  for (let at = 0; at < ids.length; at += batchRows)
    for (const now of await machinesNow(queries, ids.slice(at, at + batchRows), policy.name))
      (isReached(stand, now.id) ? reached : others).push(now);
  const joining = reached.filter(({ id }) => !members.has(id));
  for (let at = 0; at < joining.length; at += batchRows)
    await join(queries, stand.id, joining.slice(at, at + batchRows), nowMs);
  const pairs = reached.flatMap((now) => {
    const before = members.get(now.id);
    return before === undefined ? [] : [{ now, before }];
  });
  const ran = pairs.filter(({ now, before }) => hasRun(now, before, policy.policyVersion));
  const isSilent = (machine: MachineNow): boolean => !wasThere(machine.lastSeenMs, nowMs);
  return {
    members: reached.length,
    ran: ran.length,
    applyFailures: pairs.filter(({ now, before }) => now.isRefusing && !before.wasRefusing).length,
    newRunFailures: ran.filter(failsNow).length,
    silent: pairs.filter(
      ({ now, before }) => isSilent(now) && wasThere(before.lastSeenMs, before.joinedMs),
    ).length,
    others: others.length,
    othersSilent: others.filter(isSilent).length,
    selectedRatios: ran.flatMap(({ now, before }) => {
      const isKnown = now.bytesSelected !== null && (before.bytesSelected ?? 0) > 0;
      return isKnown ? [Number(now.bytesSelected) / Number(before.bytesSelected)] : [];
    }),
  };
}

interface MachineThenAndNow {
  readonly now: MachineNow;
  readonly before: Member;
}

function wasThere(lastSeenMs: number | null, atMs: number): boolean {
  return lastSeenMs !== null && lastSeenMs >= atMs - silentMs;
}

/** And did not before. */
function failsNow({ now, before }: MachineThenAndNow): boolean {
  return now.outcome === failed && before.outcome !== null && before.outcome !== failed;
}

/** Forgets the members of a rollout that has ended. */
export async function forgetMembers(queries: Queries, rolloutId: string): Promise<void> {
  await queries.deleteFrom("rollout_members").where("rollout_id", "=", rolloutId).execute();
}

function hasRun(now: MachineNow, before: Member, policyVersion: number): boolean {
  const isNewVersion = now.policyVersion === null || now.policyVersion >= policyVersion;
  return isNewVersion && now.endedMs !== null && now.endedMs > before.joinedMs;
}

async function membersOf(queries: Queries, rolloutId: string): Promise<Map<string, Member>> {
  const rows = await queries
    .selectFrom("rollout_members")
    .selectAll()
    .where("rollout_id", "=", rolloutId)
    .execute();
  return new Map(
    rows.map((row) => [
      row.agent_id,
      {
        wasRefusing: row.is_refusing === 1,
        outcome: row.outcome,
        bytesSelected: row.bytes_selected,
        lastSeenMs: row.last_seen_ms,
        joinedMs: row.joined_ms,
      },
    ]),
  );
}

async function machinesNow(
  queries: Queries,
  ids: readonly string[],
  policyName: string,
): Promise<MachineNow[]> {
  const rows = await queries
    .selectFrom("agents")
    .leftJoin("agent_live", "agent_live.agent_id", "agents.id")
    .leftJoin("protection", (join) =>
      join.onRef("protection.agent_id", "=", "agents.id").on("protection.policy", "=", policyName),
    )
    .select([
      "agents.id",
      "agent_live.last_seen_ms",
      "agent_live.status",
      "protection.last_outcome",
      "protection.last_ended_ms",
      "protection.bytes_selected",
      "protection.policy_version",
    ])
    .where("agents.id", "in", ids)
    .where("agents.status", "=", "active")
    .execute();
  return rows.map((row) => ({
    id: row.id,
    lastSeenMs: row.last_seen_ms,
    isRefusing: row.status !== null && isRefusing(row.status),
    outcome: row.last_outcome,
    endedMs: row.last_ended_ms,
    bytesSelected: row.bytes_selected,
    policyVersion: row.policy_version,
  }));
}

/** Of the text of an AgentStatus. */
function isRefusing(status: string): boolean {
  const { bundle } = JSON.parse(status) as { bundle?: { state?: string } };
  return bundle?.state === "refused";
}

async function join(
  queries: Queries,
  rolloutId: string,
  machines: readonly MachineNow[],
  nowMs: number,
): Promise<void> {
  if (machines.length === 0) return;
  await queries
    .insertInto("rollout_members")
    .values(
      machines.map((machine) => ({
        rollout_id: rolloutId,
        agent_id: machine.id,
        is_refusing: machine.isRefusing ? (1 as const) : (0 as const),
        outcome: machine.outcome,
        bytes_selected: machine.bytesSelected,
        last_seen_ms: machine.lastSeenMs,
        joined_ms: nowMs,
      })),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}
