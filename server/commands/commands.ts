/**
 * The queue of commands for each machine: asked for by people or the server's schedule, signed, fetched by the machine
 * when it comes, and told of by it. Every state has somebody who must end it and a time by which (command-sweep.ts).
 */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { agentRefusal } from "../../protocol/control/agent-problem.ts";
import {
  type CommandDocument,
  type CommandList,
  type CommandOrder,
  type CommandProgress,
  type CommandState,
  isFinalCommandState,
} from "../../protocol/control/command.ts";
import { knownRow, type Page, type TenantScope, tenantRows } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { risingCommandId } from "./command-id.ts";
import { type Command, type CommandRow, commandOf, standOf, writeStand } from "./command-rows.ts";
import { afterProgress, afterVerdict, commandLifetimesMs } from "./command-rules.ts";

/** Gives the means to sign commands with the policy key of now. */
export type CommandSigner = (queries: Queries) => Promise<(command: CommandDocument) => string>;

/** What is given must hold. */
export interface CommandFilter {
  readonly agentId?: string | undefined;
  readonly state?: CommandState | undefined;
  readonly kind?: CommandOrder["kind"] | undefined;
}

/** Of one machine, not ended. */
const openMax = 100;
const lifetimeMsMax = 90 * 86_400_000;
/** Two words on the same command at the same time: the second looks again. */
const attemptsMax = 5;

export class Commands {
  readonly #ground: ServerGround;
  readonly #signer: CommandSigner;

  constructor(ground: ServerGround, signer: CommandSigner) {
    this.#ground = ground;
    this.#signer = signer;
  }

  /**
   * Queues a command. One of the same order that its machine has not fetched yet is replaced by it. `lifetimeMs`: so
   * long it may be begun, at most 90 days. RESOURCE_UNKNOWN if the asker may see no such machine; RESOURCE_STATE if
   * that was revoked, or too many commands wait for it.
   */
  async create(
    actor: string,
    scope: TenantScope,
    given: { agentId: string; order: CommandOrder; lifetimeMs?: number | undefined },
  ): Promise<Command> {
    const command = await this.#ground.database
      .transaction()
      .execute(async (queries) => await this.#create(queries, actor, scope, given));
    await this.#ground.wakeups.publish(`agent:${command.agentId}`);
    return command;
  }

  /** In the order in which they were made. */
  async list(scope: TenantScope, page: Page, filter: CommandFilter = {}): Promise<Command[]> {
    const rows = await tenantRows(this.#ground.database, "commands", scope, page, {
      state: filter.state,
      kind: filter.kind,
      agent_id: filter.agentId,
    }).execute();
    return await this.#withUploads(rows);
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<Command> {
    const row = await readCommand(this.#ground.database, scope, id);
    const [command] = await this.#withUploads([row]);
    return knownRow("command", id, command);
  }

  /**
   * Cancels a command. One that its machine has taken is stopped there, by a command of its own: it ends when the
   * machine says so. RESOURCE_STATE if it has ended.
   */
  async cancel(actor: string, scope: TenantScope, id: string): Promise<Command> {
    const { database, audit, wakeups, now } = this.#ground;
    const agentId = await database.transaction().execute(async (queries) => {
      const row = await readCommand(queries, scope, id);
      const stand = standOf(row);
      if (isFinalCommandState(stand.state))
        throw new BackstayError("RESOURCE_STATE", { command: id, state: stand.state });
      const { tenant_id: tenantId, agent_id } = row;
      if (stand.state === "queued") {
        const canceled = afterVerdict(stand, "canceled", "Canceled before it was fetched.", now());
        if (!(await writeStand(queries, row, canceled, now())))
          throw new BackstayError("RESOURCE_CHANGED", { command: id });
      } else
        await this.#insert(queries, "server", { tenantId, agentId: agent_id }, stopOf(id), {
          lifetimeMs: lifetimeMsMax,
        });
      await audit.record(queries, { tenantId, actor, action: "command.cancel", target: id });
      return agent_id;
    });
    await wakeups.publish(`agent:${agentId}`);
    return await this.get(scope, id);
  }

  /** What a machine is to do: everything that has not ended, oldest first. */
  async openFor(agentId: string): Promise<CommandList> {
    const rows = await this.#ground.database
      .selectFrom("commands")
      .select(["id", "jws", "state"])
      .where("agent_id", "=", agentId)
      .where("state", "in", ["queued", "accepted", "running"])
      .where((is) =>
        is.or([is("state", "!=", "queued"), is("expires_ms", ">", this.#ground.now())]),
      )
      .orderBy("id")
      .limit(openMax * 2)
      .execute();
    return {
      commands: rows.map(({ jws }) => jws),
      taken: rows.filter(({ state }) => state !== "queued").map(({ id }) => id),
    };
  }

  /** How many wait to be fetched by a machine: for the header of its poll. */
  async waitingFor(agentId: string): Promise<number> {
    const { count } = await this.#ground.database
      .selectFrom("commands")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("agent_id", "=", agentId)
      .where("state", "=", "queued")
      .where("expires_ms", ">", this.#ground.now())
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** Takes a machine's word on its command. What is late or repeated changes nothing. Problem not-found. */
  async progress(agentId: string, id: string, progress: CommandProgress): Promise<void> {
    const { database, now, wakeups } = this.#ground;
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const row = await database
        .selectFrom("commands")
        .selectAll()
        .where("id", "=", id)
        .where("agent_id", "=", agentId)
        .executeTakeFirst();
      if (row === undefined) throw agentRefusal("not-found");
      const stand = standOf(row);
      const next = afterProgress(stand, progress);
      if (next === undefined) return;
      // Canceled here while the machine was fetching it: what was wanted is that it ends.
      const isToStop = stand.state === "canceled" && !isFinalCommandState(next.state);
      const isWritten = await database.transaction().execute(async (queries) => {
        if (!(await writeStand(queries, row, next, now()))) return false;
        const { tenant_id: tenantId } = row;
        if (isToStop)
          await this.#insert(queries, "server", { tenantId, agentId }, stopOf(id), {
            lifetimeMs: lifetimeMsMax,
          });
        return true;
      });
      if (isWritten) {
        if (isToStop) await wakeups.publish(`agent:${agentId}`);
        return;
      }
    }
    throw agentRefusal("overloaded");
  }

  async #create(
    queries: Queries,
    actor: string,
    scope: TenantScope,
    given: { agentId: string; order: CommandOrder; lifetimeMs?: number | undefined },
  ): Promise<Command> {
    const { agentId, order, lifetimeMs = commandLifetimesMs[order.kind] } = given;
    let query = queries
      .selectFrom("agents")
      .select(["tenant_id", "status"])
      .where("id", "=", agentId);
    if (scope !== null) query = query.where("tenant_id", "=", scope);
    const agent = knownRow("agent", agentId, await query.executeTakeFirst());
    if (agent.status === "revoked")
      throw new BackstayError("RESOURCE_STATE", { agent: agentId, status: agent.status });
    const { count } = await queries
      .selectFrom("commands")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("agent_id", "=", agentId)
      .where("state", "in", ["queued", "accepted", "running"])
      .executeTakeFirstOrThrow();
    if (Number(count) >= openMax)
      throw new BackstayError("RESOURCE_STATE", { agent: agentId, commandsOpen: Number(count) });
    const owner = { tenantId: agent.tenant_id, agentId };
    const row = await this.#insert(queries, actor, owner, order, {
      lifetimeMs: Math.min(lifetimeMs, lifetimeMsMax),
    });
    await this.#replaceQueued(queries, row);
    await this.#ground.audit.record(queries, {
      tenantId: owner.tenantId,
      actor,
      action: "command.create",
      target: row.id,
      details: { agentId, kind: order.kind, ...("policy" in order && { policy: order.policy }) },
    });
    return commandOf(row);
  }

  async #insert(
    queries: Queries,
    actor: string,
    owner: { tenantId: string; agentId: string },
    order: CommandOrder,
    { lifetimeMs }: { lifetimeMs: number },
  ): Promise<CommandRow> {
    const nowMs = this.#ground.now();
    const expiresMs = nowMs + lifetimeMs;
    const row = commandRow(await this.#signer(queries), {
      ...owner,
      order,
      expiresMs,
      actor,
      nowMs,
    });
    await queries.insertInto("commands").values(row).execute();
    return row;
  }

  /** Of several alike that a machine was off for, it does the newest only. */
  async #replaceQueued(queries: Queries, by: CommandRow): Promise<void> {
    const rows = await queries
      .selectFrom("commands")
      .selectAll()
      .where("agent_id", "=", by.agent_id)
      .where("state", "=", "queued")
      .where("order", "=", by.order)
      .where("id", "!=", by.id)
      .execute();
    const nowMs = this.#ground.now();
    for (const row of rows) {
      const text = `Replaced by a newer one: ${by.id}.`;
      await writeStand(queries, row, afterVerdict(standOf(row), "canceled", text, nowMs), nowMs);
    }
  }

  async #withUploads(rows: readonly CommandRow[]): Promise<Command[]> {
    if (rows.length === 0) return [];
    const uploads = await this.#ground.database
      .selectFrom("command_uploads")
      .selectAll()
      .where(
        "command_id",
        "in",
        rows.map(({ id }) => id),
      )
      .execute();
    const byCommand = new Map(uploads.map((upload) => [upload.command_id, upload]));
    return rows.map((row) => commandOf(row, byCommand.get(row.id)));
  }
}

/** A new row with its signed document. */
export function commandRow(
  sign: (command: CommandDocument) => string,
  given: {
    readonly tenantId: string;
    readonly agentId: string;
    readonly order: CommandOrder;
    readonly expiresMs: number;
    readonly actor: string;
    readonly nowMs: number;
    readonly slot?: string;
  },
): CommandRow {
  const { tenantId, agentId, order, expiresMs, actor, nowMs, slot = null } = given;
  const id = risingCommandId();
  return {
    id,
    tenant_id: tenantId,
    agent_id: agentId,
    kind: order.kind,
    order: JSON.stringify(order),
    jws: sign({ type: "command", id, tenantId, agentId, order, issuedMs: nowMs, expiresMs }),
    state: "queued",
    progress: null,
    created_by: actor,
    created_ms: nowMs,
    expires_ms: expiresMs,
    updated_ms: nowMs,
    slot,
  };
}

function stopOf(command: string): CommandOrder {
  return { kind: "stop", command };
}

async function readCommand(queries: Queries, scope: TenantScope, id: string): Promise<CommandRow> {
  let query = queries.selectFrom("commands").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return knownRow("command", id, await query.executeTakeFirst());
}
