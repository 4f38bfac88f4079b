/**
 * Takes the status of machines: the newest of each counts. Those that arrive together are written together, and each is
 * answered once it is durable.
 */
import type { AgentStatus } from "../../protocol/control/reports.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import {
  newProtection,
  overdueSinceMs,
  type ProtectionRow,
  protectionOf,
  writeProtection,
} from "./protection.ts";
import type { Reporter } from "./report-inbox.ts";

interface Waiting {
  readonly agent: Reporter;
  readonly status: AgentStatus;
  readonly written: PromiseWithResolvers<void>;
}

/** So long the first one waits for others. */
const gatherMs = 50;
const atOnceMax = 200;

export class StatusInbox {
  readonly #ground: ServerGround;
  /** The newest of each machine, with everybody who waits for it. */
  readonly #waiting = new Map<string, Waiting>();
  #isGathering = false;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Resolves when this status, or a newer one of the machine, is durable. */
  async take(agent: Reporter, status: AgentStatus): Promise<void> {
    const written = this.#waiting.get(agent.id)?.written ?? Promise.withResolvers<void>();
    this.#waiting.set(agent.id, { agent, status, written });
    if (!this.#isGathering) {
      this.#isGathering = true;
      setTimeout(() => void this.#writeAll(), gatherMs);
    }
    await written.promise;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const some = [...this.#waiting.values()].slice(0, atOnceMax);
      for (const { agent } of some) this.#waiting.delete(agent.id);
      try {
        await this.#write(some);
        for (const { written } of some) written.resolve();
      } catch {
        await this.#writeOneByOne(some);
      }
    }
    this.#isGathering = false;
  }

  /** One that can't be written, because its machine was just removed, must not hold up the others. */
  async #writeOneByOne(some: readonly Waiting[]): Promise<void> {
    for (const each of some)
      try {
        await this.#write([each]);
        each.written.resolve();
      } catch (error) {
        each.written.reject(error);
      }
  }

  async #write(some: readonly Waiting[]): Promise<void> {
    const nowMs = this.#ground.now();
    // In one order everywhere: replicas never wait for each other in a circle.
    const ordered = some.toSorted((a, b) => (a.agent.id < b.agent.id ? -1 : 1));
    await this.#ground.database.transaction().execute(async (queries) => {
      for (const { agent, status } of ordered) {
        await writeLive(queries, agent, status, nowMs);
        await followPolicies(queries, agent, status, nowMs);
        await followDestinations(queries, agent, status);
      }
    });
  }
}

async function writeLive(
  queries: Queries,
  agent: Reporter,
  status: AgentStatus,
  nowMs: number,
): Promise<void> {
  const told = {
    status: JSON.stringify(wellFormed(status)),
    status_ms: nowMs,
    health: status.health,
    version: status.facts.agentVersion,
  };
  await queries
    .insertInto("agent_live")
    .values({
      agent_id: agent.id,
      last_seen_ms: nowMs,
      run_id: "",
      address: "",
      accepted_serial: null,
      ...told,
    })
    .onConflict((conflict) => conflict.column("agent_id").doUpdateSet(told))
    .execute();
}

/** Machines have what they say they have; what they had lost with their memory they have still. */
async function followPolicies(
  queries: Queries,
  agent: Reporter,
  { policies, bundle }: AgentStatus,
  nowMs: number,
): Promise<void> {
  const known = await protectionOf(queries, agent.id);
  for (const { policy, policyVersion = null, maximumAgeMs, enabled } of policies) {
    if (enabled === false) continue;
    const before = known.get(policy);
    known.delete(policy);
    const row: ProtectionRow = {
      ...(before ?? newProtection(agent.id, agent.tenantId, policy, nowMs)),
      maximum_age_ms: Math.min(Math.max(0, Math.round(maximumAgeMs)), 1e15),
      policy_version: policyVersion === null ? null : Math.round(policyVersion),
    };
    const next = { ...row, overdue_since_ms: overdueSinceMs(row, nowMs) };
    if (before === undefined || differ(before, next)) await writeProtection(queries, next);
  }
  if (bundle.state !== "applied" || known.size === 0) return;
  await queries
    .deleteFrom("protection")
    .where("agent_id", "=", agent.id)
    .where("policy", "in", [...known.keys()])
    .execute();
}

/** A route that was replaced stays usable until every machine has said that it goes by another. */
async function followDestinations(
  queries: Queries,
  agent: Reporter,
  { destinations }: AgentStatus,
): Promise<void> {
  if (destinations === undefined) return;
  const told = new Map(destinations.map(({ repositoryId, epoch }) => [repositoryId, epoch]));
  const known = await queries
    .selectFrom("machine_repositories")
    .select(["repository_id", "obeyed_epoch"])
    .where("agent_id", "=", agent.id)
    .execute();
  for (const { repository_id: id, obeyed_epoch: before } of known) {
    const epoch = told.get(id) ?? 0;
    if (epoch === before) continue;
    await queries
      .updateTable("machine_repositories")
      .set({ obeyed_epoch: epoch })
      .where("agent_id", "=", agent.id)
      .where("repository_id", "=", id)
      .execute();
  }
}

function differ(a: ProtectionRow, b: ProtectionRow): boolean {
  return a.maximum_age_ms !== b.maximum_age_ms || a.policy_version !== b.policy_version;
}

/** The same without halves of characters, which PostgreSQL reads in no JSON. */
function wellFormed(value: unknown): unknown {
  if (typeof value === "string") return value.toWellFormed();
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key.toWellFormed(), wellFormed(each)]),
  );
}
