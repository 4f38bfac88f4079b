/**
 * That machines are to back up less than before, or nothing: they refuse that unless it is said. It is said of what their
 * policies are next, and is over with the change after that.
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { TenantScope } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";

export type ReductionIntent = "pause" | "stop";

const batchRows = 500;

export class AgentIntents {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Says it of one machine; `normal` takes it back. RESOURCE_UNKNOWN if there is none that the asker may see. */
  async set(
    actor: string,
    scope: TenantScope,
    agentId: string,
    intent: ReductionIntent | "normal",
  ): Promise<void> {
    const tenantId = await this.#ground.database.transaction().execute(async (queries) => {
      const agent = await queries
        .selectFrom("agents")
        .select("tenant_id")
        .where("id", "=", agentId)
        .executeTakeFirst();
      if (agent === undefined || (scope !== null && scope !== agent.tenant_id))
        throw new BackstayError("RESOURCE_UNKNOWN", { agent: agentId });
      if (intent === "normal")
        await queries.deleteFrom("agent_intents").where("agent_id", "=", agentId).execute();
      else
        await markIntent(queries, agent.tenant_id, [agentId], {
          intent,
          about: "now",
          nowMs: this.#ground.now(),
        });
      await raiseTenantRevision(queries, agent.tenant_id);
      await this.#ground.audit.record(queries, {
        tenantId: agent.tenant_id,
        actor,
        action: "agent.intent",
        target: agentId,
        details: { intent },
      });
      return agent.tenant_id;
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
  }

  /** What is said of a machine now. */
  async get(agentId: string): Promise<ReductionIntent | "normal"> {
    const row = await this.#ground.database
      .selectFrom("agent_intents")
      .select("intent")
      .where("agent_id", "=", agentId)
      .executeTakeFirst();
    return row?.intent ?? "normal";
  }
}

/** Instead of a hash: it is about the first policies that differ from those of the bundle before. */
const nextChange = "change";

/**
 * Says it of many machines, in a transaction. About `now`: of the policies that are compiled next, though they may be in
 * a bundle already. About `change`: of the first that differ from those in the bundle before, whenever a machine gets them.
 */
export async function markIntent(
  queries: Queries,
  tenantId: string,
  agentIds: readonly string[],
  mark: {
    readonly intent: ReductionIntent;
    readonly about: "now" | "change";
    readonly nowMs: number;
  },
): Promise<void> {
  const { intent, nowMs } = mark;
  const policies_hash = mark.about === "now" ? null : nextChange;
  for (let at = 0; at < agentIds.length; at += batchRows)
    await queries
      .insertInto("agent_intents")
      .values(
        agentIds.slice(at, at + batchRows).map((agent_id) => ({
          agent_id,
          tenant_id: tenantId,
          intent,
          policies_hash,
          created_ms: nowMs,
        })),
      )
      .onConflict((conflict) =>
        conflict.column("agent_id").doUpdateSet({ intent, policies_hash, created_ms: nowMs }),
      )
      .execute();
}

/**
 * The intent of the bundle that is being compiled with these policies; `before` is the hash of those in the bundle before,
 * if there was one. With any others than those that it was said of, an intent is over.
 */
export async function intentFor(
  queries: Queries,
  agentId: string,
  policiesHash: string,
  before: string | undefined,
): Promise<ReductionIntent | "normal"> {
  const row = await queries
    .selectFrom("agent_intents")
    .selectAll()
    .where("agent_id", "=", agentId)
    .executeTakeFirst();
  if (row === undefined) return "normal";
  const { intent, policies_hash: known } = row;
  if (known === policiesHash) return intent;
  if (known === nextChange && before === policiesHash) return "normal";
  const isAboutThese = known === null || known === nextChange;
  const unchanged = known === null ? "is" : "=";
  if (isAboutThese)
    await queries
      .updateTable("agent_intents")
      .set({ policies_hash: policiesHash })
      .where("agent_id", "=", agentId)
      .where("policies_hash", unchanged, known)
      .execute();
  else
    await queries
      .deleteFrom("agent_intents")
      .where("agent_id", "=", agentId)
      .where("policies_hash", unchanged, known)
      .execute();
  return isAboutThese ? intent : "normal";
}
