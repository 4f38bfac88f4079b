/**
 * Takes the status of machines: the newest of each counts. Those that arrive together are written together, and each is
 * answered once it is durable.
 */
import { isDeepStrictEqual } from "node:util";
import type { AgentStatus } from "../../protocol/control/reports.ts";
import { GatheredWrites } from "../ground/gathered-writes.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import {
  newProtection,
  overdueSinceMs,
  type ProtectionRow,
  protectionOf,
  writeProtection,
} from "./protection.ts";
import type { Reporter } from "./report-inbox.ts";

interface Told {
  readonly agent: Reporter;
  readonly status: AgentStatus;
}

/** So long the first one waits for others. */
const gatherMs = 50;
const atOnceMax = 200;

export class StatusInbox {
  readonly #ground: ServerGround;
  readonly #writes: GatheredWrites<Told, undefined>;

  constructor(ground: ServerGround) {
    this.#ground = ground;
    const write = async (batch: readonly Told[]): Promise<undefined[]> => await this.#write(batch);
    this.#writes = new GatheredWrites({ gatherMs, atOnceMax, write });
  }

  /** Resolves when this status, or a newer one of the machine, is durable. */
  async take(agent: Reporter, status: AgentStatus): Promise<void> {
    await this.#writes.add({ agent, status });
  }

  async #write(batch: readonly Told[]): Promise<undefined[]> {
    const nowMs = this.#ground.now();
    const newest = [...new Map(batch.map((told) => [told.agent.id, told])).values()];
    // In one order everywhere: replicas never wait for each other in a circle.
    const ordered = newest.toSorted((a, b) => (a.agent.id < b.agent.id ? -1 : 1));
    await this.#ground.database.transaction().execute(async (queries) => {
      for (const { agent, status } of ordered) {
        await writeLive(queries, agent, status, nowMs);
        await followPolicies(queries, agent, status, nowMs);
        await followDestinations(queries, agent, status);
      }
    });
    return batch.map(() => undefined);
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

/** What routes that were replaced, and repositories that are put into maintenance or sealed, wait for. */
async function followDestinations(
  queries: Queries,
  agent: Reporter,
  { destinations }: AgentStatus,
): Promise<void> {
  if (destinations === undefined) return;
  const told = new Map(destinations.map((each) => [each.repositoryId, each]));
  const known = await queries
    .selectFrom("machine_repositories")
    .select(["repository_id", "obeyed_epoch", "obeyed_stand", "is_busy"])
    .where("agent_id", "=", agent.id)
    .execute();
  for (const { repository_id: id, ...before } of known) {
    const { epoch = 0, standNumber = 0, isBusy = false } = told.get(id) ?? {};
    const now = {
      obeyed_epoch: epoch,
      obeyed_stand: standNumber,
      is_busy: isBusy ? 1 : 0,
    } as const;
    if (isDeepStrictEqual(now, before)) continue;
    await queries
      .updateTable("machine_repositories")
      .set(now)
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
