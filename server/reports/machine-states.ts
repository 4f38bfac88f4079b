/** How machines are: each by itself, and counted over all. */
import { type SelectQueryBuilder, sql } from "kysely";
import { type MachineState, machineStates } from "../../protocol/management/sessions.ts";
import type { Tables } from "../database/tables.ts";
import type { TenantScope } from "../ground/resource-access.ts";
import type { ServerGround } from "../ground/server-ground.ts";
import { type MachineFacts, machineState, silentAfterMs } from "./machine-state.ts";

/** How one policy of a machine stands. */
export interface PolicyProtection {
  readonly policy: string;
  /** Begin of the newest good backup, ms since 1970 by the server's clock; null: there is none. */
  readonly lastGoodMs: number | null;
  readonly lastOutcome: string | null;
  readonly lastEndedMs: number | null;
  readonly maximumAgeMs: number;
  /** Since when it has been too old; null: it is not. */
  readonly overdueSinceMs: number | null;
  readonly bytesSelected: number | null;
  readonly policyVersion: number | null;
}

export interface MachineStanding {
  readonly agentId: string;
  readonly state: MachineState;
  /** A sentence. */
  readonly reason: string;
}

export interface FleetOverview {
  readonly machines: number;
  readonly byState: Readonly<Record<MachineState, number>>;
  readonly policies: { readonly total: number; readonly overdue: number };
  /** Backups that have ended within the last 24 hours, by outcome. */
  readonly sessionsOfDay: Readonly<Record<string, number>>;
}

interface FactsRow {
  status: Tables["agents"]["status"];
  heard: number;
  silent: number;
  policies: number;
  overdue: number;
  none: number;
  failed: number;
  health: string;
}

const dayMs = 86_400_000;

export class MachineStates {
  readonly #ground: Pick<ServerGround, "database" | "now">;

  constructor(ground: Pick<ServerGround, "database" | "now">) {
    this.#ground = ground;
  }

  /** Of those of the machines that the asker may see, in no order. */
  async of(scope: TenantScope, agentIds: readonly string[]): Promise<MachineStanding[]> {
    if (agentIds.length === 0) return [];
    const rows = await this.#facts(scope)
      .select("agents.id")
      .where("agents.id", "in", [...agentIds])
      .execute();
    return rows.map((row) => ({ agentId: row.id, ...machineState(factsOf(row)) }));
  }

  /** Counts over all machines that the asker may see: the same states as each one has. */
  async overview(scope: TenantScope): Promise<FleetOverview> {
    const { database, now } = this.#ground;
    const groups = await database
      .selectFrom(this.#facts(scope).as("facts"))
      .selectAll()
      .select(({ fn }) => fn.countAll<number>().as("machines"))
      .groupBy(["status", "heard", "silent", "policies", "overdue", "none", "failed", "health"])
      .execute();
    const byState = Object.fromEntries(machineStates.map((state) => [state, 0])) as Record<
      MachineState,
      number
    >;
    for (const row of groups) byState[machineState(factsOf(row)).state] += Number(row.machines);
    let policies = database
      .selectFrom("protection")
      .select(({ fn }) => [
        fn.countAll<number>().as("total"),
        fn.count<number>("overdue_since_ms").as("overdue"),
      ]);
    let sessions = database
      .selectFrom("reports")
      .select(["outcome", ({ fn }) => fn.countAll<number>().as("count")])
      .where("kind", "=", "session")
      .where("time_ms", ">", now() - dayMs)
      .groupBy("outcome");
    if (scope !== null) {
      policies = policies.where("tenant_id", "=", scope);
      sessions = sessions.where("tenant_id", "=", scope);
    }
    const { total, overdue } = await policies.executeTakeFirstOrThrow();
    const outcomes = await sessions.execute();
    return {
      machines: groups.reduce((sum, row) => sum + Number(row.machines), 0),
      byState,
      policies: { total: Number(total), overdue: Number(overdue) },
      sessionsOfDay: Object.fromEntries(
        outcomes.map(({ outcome, count }) => [outcome, Number(count)]),
      ),
    };
  }

  /** The policies of a machine by name. Empty if the asker may see no such machine. */
  async protection(scope: TenantScope, agentId: string): Promise<PolicyProtection[]> {
    let query = this.#ground.database
      .selectFrom("protection")
      .selectAll()
      .where("agent_id", "=", agentId);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    const rows = await query.orderBy("policy").execute();
    return rows.map((row) => ({
      policy: row.policy,
      lastGoodMs: row.last_good_ms,
      lastOutcome: row.last_outcome,
      lastEndedMs: row.last_ended_ms,
      maximumAgeMs: row.maximum_age_ms,
      overdueSinceMs: row.overdue_since_ms,
      bytesSelected: row.bytes_selected,
      policyVersion: row.policy_version,
    }));
  }

  /** A row of yes and no for each machine. */
  #facts(scope: TenantScope): SelectQueryBuilder<Tables, "agents", FactsRow> {
    const nowMs = this.#ground.now();
    const silent = sql<number>`CASE WHEN agent_live.last_seen_ms < ${sql.lit(nowMs)} -
      CASE agents.kind WHEN 'server' THEN ${sql.lit(silentAfterMs.server)}
      ELSE ${sql.lit(silentAfterMs.workstation)} END THEN 1 ELSE 0 END`;
    let query = this.#ground.database
      .selectFrom("agents")
      .leftJoin("agent_live", "agent_live.agent_id", "agents.id")
      .leftJoin(
        (from) =>
          from
            .selectFrom("protection")
            .select([
              "agent_id",
              sql<number>`max(CASE WHEN overdue_since_ms IS NULL THEN 0 ELSE 1 END)`.as("overdue"),
              sql<number>`max(CASE WHEN overdue_since_ms IS NULL OR last_good_ms IS NOT NULL
                THEN 0 ELSE 1 END)`.as("none"),
              sql<number>`max(CASE last_outcome WHEN 'failure' THEN 1 ELSE 0 END)`.as("failed"),
            ])
            .groupBy("agent_id")
            .as("worst"),
        (join) => join.onRef("worst.agent_id", "=", "agents.id"),
      )
      .select([
        "agents.status",
        sql<number>`CASE WHEN agent_live.agent_id IS NULL THEN 0 ELSE 1 END`.as("heard"),
        silent.as("silent"),
        sql<number>`CASE WHEN worst.agent_id IS NULL THEN 0 ELSE 1 END`.as("policies"),
        sql<number>`coalesce(worst.overdue, 0)`.as("overdue"),
        sql<number>`coalesce(worst.none, 0)`.as("none"),
        sql<number>`coalesce(worst.failed, 0)`.as("failed"),
        sql<string>`coalesce(agent_live.health, '')`.as("health"),
      ]);
    if (scope !== null) query = query.where("agents.tenant_id", "=", scope);
    return query as unknown as SelectQueryBuilder<Tables, "agents", FactsRow>;
  }
}

function factsOf(row: FactsRow): MachineFacts {
  return {
    status: row.status,
    isHeard: Number(row.heard) === 1,
    isSilent: Number(row.silent) === 1,
    hasPolicy: Number(row.policies) === 1,
    isOverdue: Number(row.overdue) === 1,
    hasNone: Number(row.none) === 1,
    hasFailed: Number(row.failed) === 1,
    health: row.health,
  };
}
