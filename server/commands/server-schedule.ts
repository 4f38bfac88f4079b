/**
 * Policies that are managed by the server: their schedule runs here, and each slot becomes a command for each machine,
 * exactly once (the slot is part of the command and unique). What is looked at is the time since the last look, by
 * whichever replica that was.
 */
import { type Expression, type SqlBool, sql } from "kysely";
import { z } from "zod";
import type { CommandDocument, CommandOrder } from "../../protocol/control/command.ts";
import { type ScheduleRules, scheduleRules } from "../../protocol/policy/schedule-rules.ts";
import { toleranceMs } from "../../protocol/schedule/due-slots.ts";
import { lastSlot } from "../../protocol/schedule/slots.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { standOf, writeStand } from "./command-rows.ts";
import { afterVerdict } from "./command-rules.ts";
import { type CommandSigner, commandRow } from "./commands.ts";

interface ServerPolicy {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly rules: ScheduleRules;
  readonly createdMs: number;
}

interface DueSlot {
  readonly policy: ServerPolicy;
  readonly atMs: number;
  /** Machines in this zone only; undefined: all, the policy names its zone. */
  readonly zone: string | undefined;
}

/** What of a policy counts here. */
const scheduled = z.object({
  enabled: z.boolean().default(true),
  schedule: scheduleRules.prefault({}),
});
const fact = "server-schedule";
const machinesAtOnce = 500;
/** A machine that is off makes up for a missed run within so long, if its policy says that it should. */
const missedMsMax = 7 * 86_400_000;
/** Of machines that have not said where they are. */
const unknownZone = "UTC";
const zonesKeptMs = 5 * 60_000;
/** A look that lies further ahead was made by a clock that was wrong. */
const aheadMsMax = 5 * 60_000;

export class ServerSchedule {
  readonly #ground: ServerGround;
  readonly #signer: CommandSigner;
  /** By id of the policy. */
  readonly #zones = new Map<
    string,
    { readonly zones: readonly string[]; readonly readMs: number }
  >();

  constructor(ground: ServerGround, signer: CommandSigner) {
    this.#ground = ground;
    this.#signer = signer;
  }

  /** Makes the commands of all slots since the last look. To be done by one replica at a time, every half minute or so. */
  async look(): Promise<void> {
    const nowMs = this.#ground.now();
    const lookedMs = await this.#lookedMs();
    if (lookedMs !== undefined && lookedMs <= nowMs)
      for (const policy of await this.#policies())
        for (const slot of await this.#dueSlots(policy, lookedMs, nowMs)) await this.#serve(slot);
    if (lookedMs === undefined || lookedMs <= nowMs || lookedMs > nowMs + aheadMsMax)
      await this.#setLooked(nowMs);
  }

  async #lookedMs(): Promise<number | undefined> {
    const row = await this.#ground.database
      .selectFrom("server_facts")
      .select("value")
      .where("name", "=", fact)
      .executeTakeFirst();
    return row === undefined ? undefined : Number(row.value);
  }

  async #setLooked(nowMs: number): Promise<void> {
    const value = String(nowMs);
    await this.#ground.database
      .insertInto("server_facts")
      .values({ name: fact, value })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
      .execute();
  }

  async #policies(): Promise<ServerPolicy[]> {
    const rows = await this.#ground.database
      .selectFrom("policies")
      .select(["id", "tenant_id", "name", "document", "created_ms"])
      .where("managed_by", "=", "server")
      .execute();
    return rows.flatMap((row) => {
      const document = scheduled.safeParse(JSON.parse(row.document)).data;
      if (document === undefined)
        this.#ground.log.warning("A policy's schedule can't be read.", { policy: row.name });
      if (document?.enabled !== true) return [];
      const { id, tenant_id: tenantId, name, created_ms: createdMs } = row;
      return [{ id, tenantId, name, rules: document.schedule, createdMs }];
    });
  }

  /** In each zone the newest slot only: one run makes up for all that were missed while no server looked. */
  async #dueSlots(policy: ServerPolicy, lookedMs: number, nowMs: number): Promise<DueSlot[]> {
    const { rules } = policy;
    const fromMs = Math.max(lookedMs, policy.createdMs);
    const zones = rules.timeZone === undefined ? await this.#zonesOf(policy) : [rules.timeZone];
    return zones.flatMap((zone) => {
      const slot = lastSlot(rules, isZone(zone) ? zone : unknownZone, fromMs, nowMs);
      if (slot === undefined) return [];
      const isTooLate = nowMs - slot.atMs > toleranceMs(rules);
      if (isTooLate && rules.missed.action === "skip") {
        this.#ground.log.warning("A slot was missed while no server ran; its policy skips those.", {
          policy: policy.name,
        });
        return [];
      }
      return [{ policy, atMs: slot.atMs, zone: rules.timeZone === undefined ? zone : undefined }];
    });
  }

  async #serve(slot: DueSlot): Promise<void> {
    const { database, wakeups } = this.#ground;
    for (let after = ""; ; ) {
      const machines = await this.#machines(slot, after);
      const made = await database
        .transaction()
        .execute(async (queries) => await this.#insert(queries, slot, machines));
      for (const agentId of made) await wakeups.publish(`agent:${agentId}`);
      const last = machines.at(-1);
      if (last === undefined || machines.length < machinesAtOnce) return;
      after = last;
    }
  }

  /** The machines for which there was no command of the slot yet. */
  async #insert(
    queries: Queries,
    { policy, atMs }: DueSlot,
    machines: readonly string[],
  ): Promise<string[]> {
    if (machines.length === 0) return [];
    const sign = await this.#signer(queries);
    const nowMs = this.#ground.now();
    const rows = machines.map((agentId) => newRun(sign, policy, agentId, atMs, nowMs));
    const made = await queries
      .insertInto("commands")
      .values(rows)
      .onConflict((conflict) => conflict.columns(["agent_id", "slot"]).doNothing())
      .returning(["id", "agent_id"])
      .execute();
    const newest = new Set(made.map(({ id }) => id));
    const older = await queries
      .selectFrom("commands")
      .selectAll()
      .where("agent_id", "in", [...machines])
      .where("state", "=", "queued")
      .where("order", "=", rows[0]?.order ?? "")
      .where("slot", "is not", null)
      .where("slot", "!=", slotName(policy, atMs))
      .execute();
    for (const row of older.filter(({ id }) => !newest.has(id))) {
      const text = "Replaced by the run of a later time.";
      await writeStand(queries, row, afterVerdict(standOf(row), "canceled", text, nowMs), nowMs);
    }
    return made.map(({ agent_id }) => agent_id);
  }

  /** Ids of machines that have the policy, in their order. */
  async #machines({ policy, zone }: DueSlot, after: string): Promise<string[]> {
    let query = this.#ground.database
      .selectFrom("agents")
      .leftJoin("agent_live", "agent_live.agent_id", "agents.id")
      .select("agents.id")
      .where("agents.status", "=", "active")
      .where("agents.id", ">", after)
      .where(isAssigned(policy.id));
    if (zone !== undefined) query = query.where(this.#zone(), "=", zone);
    const rows = await query.orderBy("agents.id").limit(machinesAtOnce).execute();
    return rows.map(({ id }) => id);
  }

  /** In which zones the machines of a policy are. */
  async #zonesOf(policy: ServerPolicy): Promise<readonly string[]> {
    const known = this.#zones.get(policy.id);
    const nowMs = this.#ground.now();
    if (known !== undefined && Math.abs(nowMs - known.readMs) < zonesKeptMs) return known.zones;
    const rows = await this.#ground.database
      .selectFrom("agents")
      .leftJoin("agent_live", "agent_live.agent_id", "agents.id")
      .select(this.#zone().as("zone"))
      .distinct()
      .where("agents.status", "=", "active")
      .where(isAssigned(policy.id))
      .execute();
    const zones = rows.map(({ zone }) => zone);
    this.#zones.set(policy.id, { zones, readMs: nowMs });
    return zones;
  }

  #zone(): ReturnType<typeof sql<string>> {
    const told =
      this.#ground.dialect === "postgresql"
        ? sql`(agent_live.status::jsonb #>> '{facts,timeZone}')`
        : sql`json_extract(agent_live.status, '$.facts.timeZone')`;
    return sql<string>`coalesce(${told}, ${sql.lit(unknownZone)})`;
  }
}

/** True for machines that the policy is given to, by themselves or in a group. */
function isAssigned(policyId: string): Expression<SqlBool> {
  return sql<SqlBool>`agents.id IN (
    SELECT agent_id FROM policy_assignments WHERE policy_id = ${policyId} AND agent_id IS NOT NULL
    UNION SELECT group_members.agent_id FROM policy_assignments
      JOIN group_members ON group_members.group_id = policy_assignments.group_id
      WHERE policy_assignments.policy_id = ${policyId})`;
}

function newRun(
  sign: (command: CommandDocument) => string,
  policy: ServerPolicy,
  agentId: string,
  slotMs: number,
  nowMs: number,
): ReturnType<typeof commandRow> {
  const { rules, tenantId, name } = policy;
  const order: CommandOrder = { kind: "run", policy: name, cause: "schedule" };
  const expiresMs = slotMs + (rules.missed.action === "skip" ? toleranceMs(rules) : missedMsMax);
  const slot = slotName(policy, slotMs);
  return commandRow(sign, { tenantId, agentId, order, expiresMs, actor: "server", nowMs, slot });
}

function slotName({ id }: ServerPolicy, slotMs: number): string {
  return `${id}@${slotMs}`;
}

function isZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
