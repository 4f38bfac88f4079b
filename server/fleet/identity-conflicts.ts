/** Identities that two machines use: found from their requests, shown to people, settled by a fork or dismissed. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import type { Tables } from "../database/tables.ts";
import { knownRow, type Page, type TenantScope, tenantRows } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import {
  type ConflictEvidence,
  conflictIn,
  evidenceOf,
  resumedRuns,
  type SeenRun,
} from "./conflict-evidence.ts";

export interface IdentityConflict {
  readonly id: string;
  readonly tenantId: string;
  readonly agentId: string;
  readonly evidence: ConflictEvidence;
  readonly state: "open" | "forked" | "dismissed";
  readonly createdMs: number;
  readonly updatedMs: number;
}

/** Runs that were not heard of for longer are over. */
const aliveMs = 30 * 60_000;
/** Runs are forgotten after that. */
const keptMs = 24 * 3_600_000;

export class IdentityConflicts {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { state?: IdentityConflict["state"] | undefined; agentId?: string | undefined } = {},
  ): Promise<IdentityConflict[]> {
    const rows = await tenantRows(this.#ground.database, "identity_conflicts", scope, page, {
      state: filter.state,
      agent_id: filter.agentId,
    }).execute();
    return rows.map(conflictOf);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<IdentityConflict> {
    let query = this.#ground.database
      .selectFrom("identity_conflicts")
      .selectAll()
      .where("id", "=", id);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    return conflictOf(knownRow("identityConflict", id, await query.executeTakeFirst()));
  }

  /** It was none, or is over: nobody is refused for it any more. RESOURCE_STATE if it was settled before. */
  async dismiss(actor: string, scope: TenantScope, id: string): Promise<IdentityConflict> {
    const conflict = await this.get(scope, id);
    await this.#ground.database.transaction().execute(async (queries) => {
      const isSettled = await settleConflicts(queries, conflict.agentId, "dismissed", this.#ground);
      if (!isSettled)
        throw new BackstayError("RESOURCE_STATE", { identityConflict: id, state: conflict.state });
      // Else the same runs would be a conflict again at once.
      await queries.deleteFrom("agent_runs").where("agent_id", "=", conflict.agentId).execute();
      await this.#ground.audit.record(queries, {
        tenantId: conflict.tenantId,
        actor,
        action: "identity-conflict.dismiss",
        target: conflict.agentId,
      });
    });
    return await this.get(scope, id);
  }

  /** Looks at the runs of agents that were just heard of. `heardMs`: when, by the id of the agent. */
  async examine(agentIds: readonly string[]): Promise<void> {
    if (agentIds.length === 0) return;
    const { database, now } = this.#ground;
    const rows = await database
      .selectFrom("agent_runs")
      .innerJoin("agents", "agents.id", "agent_runs.agent_id")
      .select(["agents.tenant_id", "agents.fingerprint as enrolled"])
      .selectAll("agent_runs")
      .where("agent_runs.agent_id", "in", agentIds)
      .where("agent_runs.last_seen_ms", ">", now() - aliveMs)
      .orderBy("agent_runs.first_seen_ms")
      .execute();
    for (const runs of Map.groupBy(rows, ({ agent_id: id }) => id).values()) {
      if (runs.length < 2) continue;
      const [{ agent_id: agentId, tenant_id: tenantId, enrolled }] = runs;
      const seen = await this.#noteResumed(agentId, runs.map(runOf));
      const evidence = conflictIn(seen, JSON.parse(enrolled) as Fingerprint);
      if (evidence !== undefined) await this.#open(tenantId, agentId, evidence);
    }
  }

  /** Forgets runs that say nothing any more. */
  async prune(): Promise<void> {
    const { database, now } = this.#ground;
    await database
      .deleteFrom("agent_runs")
      .where("last_seen_ms", "<", now() - keptMs)
      .execute();
  }

  async #noteResumed(agentId: string, runs: readonly SeenRun[]): Promise<readonly SeenRun[]> {
    const resumed = resumedRuns(runs);
    for (const { runId, lastSeenMs } of resumed)
      await this.#ground.database
        .updateTable("agent_runs")
        .set({ resumed_ms: lastSeenMs })
        .where("agent_id", "=", agentId)
        .where("run_id", "=", runId)
        .execute();
    return runs.map((run) => (resumed.includes(run) ? { ...run, resumedMs: run.lastSeenMs } : run));
  }

  async #open(tenantId: string, agentId: string, evidence: ConflictEvidence): Promise<void> {
    const { database, audit, log, now } = this.#ground;
    await database.transaction().execute(async (queries) => {
      // Replicas that see it together take turns.
      await queries
        .updateTable("agents")
        .set((row) => ({ version: row("version", "+", 0) }))
        .where("id", "=", agentId)
        .execute();
      const known = await queries
        .selectFrom("identity_conflicts")
        .select(["id", "evidence"])
        .where("agent_id", "=", agentId)
        .where("state", "=", "open")
        .executeTakeFirst();
      const row = { evidence: JSON.stringify(evidence), updated_ms: now() };
      if (known !== undefined) {
        // What was decided stays so while fewer runs are seen.
        if (evidenceOf(known.evidence).isDecided && !evidence.isDecided) return;
        await queries
          .updateTable("identity_conflicts")
          .set(row)
          .where("id", "=", known.id)
          .execute();
        return;
      }
      await queries
        .insertInto("identity_conflicts")
        .values({
          id: randomUUIDv7(),
          tenant_id: tenantId,
          agent_id: agentId,
          ...row,
          state: "open",
          created_ms: now(),
        })
        .execute();
      const addresses = evidence.runs.map(({ address }) => address);
      await audit.record(queries, {
        tenantId,
        actor: "server",
        action: "identity-conflict.open",
        target: agentId,
        details: { isDecided: evidence.isDecided, addresses },
      });
      log.warning("Two machines use one identity.", { agent: agentId });
    });
  }
}

/** Ends what is open of an agent; true if there was something. */
export async function settleConflicts(
  queries: Queries,
  agentId: string,
  state: "forked" | "dismissed",
  { now }: Pick<ServerGround, "now">,
): Promise<boolean> {
  const { numUpdatedRows } = await queries
    .updateTable("identity_conflicts")
    .set({ state, updated_ms: now() })
    .where("agent_id", "=", agentId)
    .where("state", "=", "open")
    .executeTakeFirst();
  return numUpdatedRows > 0n;
}

/** A row of `agent_runs`. */
export function runOf(row: Selectable<Tables["agent_runs"]>): SeenRun {
  return {
    runId: row.run_id,
    fingerprint: JSON.parse(row.fingerprint) as Fingerprint,
    address: row.address,
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
    resumedMs: row.resumed_ms,
  };
}

function conflictOf(row: Selectable<Tables["identity_conflicts"]>): IdentityConflict {
  return {
    id: row.id,
    tenantId: row.tenant_id,
    agentId: row.agent_id,
    evidence: evidenceOf(row.evidence),
    state: row.state,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
  };
}
