/**
 * When each agent was heard of last, and in which run: noted in memory and written every few seconds for all together.
 * What a crash loses is said again by each agent's next request.
 */
import { type RawBuilder, sql } from "kysely";
import type { Fingerprint } from "../../protocol/control/machine-fingerprint.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { IdentityConflicts } from "./identity-conflicts.ts";

/** One request of an agent that was believed. */
export interface Sighting {
  readonly agentId: string;
  readonly tenantId: string;
  readonly address: string;
  /** Of the agent's program; undefined if it didn't say. */
  readonly agentVersion?: string | undefined;
  /** Serial of the newest bundle that it has. */
  readonly serial?: number | undefined;
  readonly run?: string | undefined;
  readonly fingerprint?: Fingerprint | undefined;
}

interface Heard extends Sighting {
  readonly timeMs: number;
}

interface HeardRun {
  readonly agentId: string;
  readonly runId: string;
  readonly fingerprint: Fingerprint;
  readonly address: string;
  readonly firstMs: number;
  lastMs: number;
}

/** So often all is written, ms. */
export const presenceEveryMs = 3000;
const rowsMax = 500;
/** More are dropped while the database can't be reached: they are heard of again. */
const agentsMax = 200_000;

export class Presence {
  readonly #ground: ServerGround;
  readonly #conflicts: IdentityConflicts;
  #heard = new Map<string, Heard>();
  #runs = new Map<string, HeardRun>();

  constructor(ground: ServerGround, conflicts: IdentityConflicts) {
    this.#ground = ground;
    this.#conflicts = conflicts;
  }

  /** Notes it; written by the next `flush`. */
  seen(sighting: Sighting): void {
    if (this.#heard.size >= agentsMax) return;
    const timeMs = this.#ground.now();
    const { agentId, run, fingerprint, address } = sighting;
    const before = this.#heard.get(agentId);
    const serial = sighting.serial ?? before?.serial;
    const agentVersion = sighting.agentVersion ?? before?.agentVersion;
    this.#heard.set(agentId, { ...sighting, serial, agentVersion, timeMs });
    if (run === undefined || fingerprint === undefined) return;
    const key = `${agentId} ${run}`;
    const known = this.#runs.get(key);
    if (known === undefined)
      this.#runs.set(key, {
        agentId,
        runId: run,
        fingerprint,
        address,
        firstMs: timeMs,
        lastMs: timeMs,
      });
    else known.lastMs = timeMs;
  }

  /** Writes what was noted, and looks for identities that two machines use. To be called once more when the server stops. */
  async flush(): Promise<void> {
    const heard = [...this.#heard.values()];
    const runs = [...this.#runs.values()];
    this.#heard = new Map();
    this.#runs = new Map();
    for (let from = 0; from < heard.length; from += rowsMax)
      await this.#writeLive(heard.slice(from, from + rowsMax));
    for (let from = 0; from < runs.length; from += rowsMax) {
      const part = runs.slice(from, from + rowsMax);
      await this.#writeRuns(part);
      await this.#conflicts.examine([...new Set(part.map(({ agentId }) => agentId))]);
    }
  }

  async #writeLive(all: readonly Heard[]): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const heard = await known(queries, all);
      if (heard.length === 0) return;
      await this.#auditRollbacks(queries, heard);
      // In one order everywhere: replicas never wait for each other in a circle.
      heard.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
      const rows = heard.map(({ agentId, timeMs, run, address, serial, agentVersion }) => ({
        agent_id: agentId,
        last_seen_ms: timeMs,
        run_id: run ?? "",
        address,
        status: null,
        status_ms: null,
        accepted_serial: serial ?? null,
        health: "unknown",
        version: agentVersion ?? "",
      }));
      await queries
        .insertInto("agent_live")
        .values(rows)
        .onConflict((conflict) =>
          conflict
            .column("agent_id")
            .doUpdateSet((row) => ({
              last_seen_ms: row.ref("excluded.last_seen_ms"),
              run_id: keptIfEmpty("run_id"),
              address: row.ref("excluded.address"),
              accepted_serial: row.fn.coalesce(
                "excluded.accepted_serial",
                "agent_live.accepted_serial",
              ),
              version: keptIfEmpty("version"),
            }))
            .whereRef("agent_live.last_seen_ms", "<=", "excluded.last_seen_ms"),
        )
        .execute();
    });
  }

  /** An agent that has an older bundle than before was set back to a snapshot or a backup: allowed, but told. */
  async #auditRollbacks(queries: Queries, heard: readonly Heard[]): Promise<void> {
    const serials = new Map(
      heard.flatMap(({ agentId, serial }) => (serial === undefined ? [] : [[agentId, serial]])),
    );
    if (serials.size === 0) return;
    const rows = await queries
      .selectFrom("agent_live")
      .select(["agent_id", "accepted_serial"])
      .where("agent_id", "in", [...serials.keys()])
      .execute();
    for (const { agent_id: agentId, accepted_serial: before } of rows) {
      const now = serials.get(agentId) ?? 0;
      if (before === null || now >= before) continue;
      const tenantId = heard.find((each) => each.agentId === agentId)?.tenantId ?? null;
      await this.#ground.audit.record(queries, {
        tenantId,
        actor: `agent:${agentId}`,
        action: "agent.rolled-back",
        target: agentId,
        details: { serialBefore: before, serialNow: now },
      });
    }
  }

  async #writeRuns(all: readonly HeardRun[]): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const runs = await known(queries, all);
      if (runs.length === 0) return;
      runs.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
      await queries
        .insertInto("agent_runs")
        .values(
          runs.map((run) => ({
            agent_id: run.agentId,
            run_id: run.runId,
            fingerprint: JSON.stringify(run.fingerprint),
            address: run.address,
            first_seen_ms: run.firstMs,
            last_seen_ms: run.lastMs,
            resumed_ms: null,
          })),
        )
        .onConflict((conflict) =>
          conflict
            .columns(["agent_id", "run_id"])
            .doUpdateSet((row) => ({ last_seen_ms: row.ref("excluded.last_seen_ms") }))
            .whereRef("agent_runs.last_seen_ms", "<", "excluded.last_seen_ms"),
        )
        .execute();
    });
  }
}

function keptIfEmpty(column: "run_id" | "version"): RawBuilder<string> {
  const now = sql.ref(`excluded.${column}`);
  return sql<string>`coalesce(nullif(${now}, ''), ${sql.ref(`agent_live.${column}`)})`;
}

/** Those whose agent has not been removed meanwhile. */
async function known<Row extends { readonly agentId: string }>(
  queries: Queries,
  rows: readonly Row[],
): Promise<Row[]> {
  const ids = [...new Set(rows.map(({ agentId }) => agentId))];
  if (ids.length === 0) return [];
  const found = await queries.selectFrom("agents").select("id").where("id", "in", ids).execute();
  const there = new Set(found.map(({ id }) => id));
  return rows.filter(({ agentId }) => there.has(agentId));
}
