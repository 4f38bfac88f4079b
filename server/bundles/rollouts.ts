/** Rollouts of changed policies: led forward by a periodic task, held, taken back or hurried by people. */
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { Tables } from "../database/tables.ts";
import type { TenantScope } from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { readPolicy, writePolicy } from "./policies.ts";
import { keptDocument } from "./policy-check.ts";
import {
  nextRolloutStep,
  type RolloutObservation,
  type RolloutStand,
  type RolloutStep,
  rolloutStand,
} from "./rollout.ts";
import { forgetMembers, watchRollout } from "./rollout-watch.ts";

/** What people may ask of a rollout. */
export type RolloutOrder = "pause" | "resume" | "advance" | "finish" | "abort";

type PolicyRow = Selectable<Tables["policies"]>;

export class Rollouts {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /**
   * Pauses; resumes what is paused or halted; advances to the next wave now; finishes at once; or aborts: every machine
   * gets what it had before, as a new version. RESOURCE_STATE if nothing is being rolled out.
   */
  async order(
    actor: string,
    scope: TenantScope,
    policyId: string,
    order: RolloutOrder,
  ): Promise<void> {
    await this.#change(actor, scope, policyId, `rollout.${order}`, (row, stand) =>
      ordered(row, stand, order, this.#ground.now()),
    );
  }

  /** How the machines fare that the rollout of a policy has reached; undefined if nothing is being rolled out. */
  async observe(scope: TenantScope, policyId: string): Promise<RolloutObservation | undefined> {
    const { database, now } = this.#ground;
    const row = await readPolicy(database, scope, policyId);
    const stand = standOf(row);
    if (stand === undefined) return undefined;
    return await watchRollout(database, rolling(row, stand), now());
  }

  /** Looks at every rollout and does the next step of those that run. For one replica at a time, every minute or so. */
  async look(): Promise<void> {
    const { database, now, log } = this.#ground;
    const rows = await database
      .selectFrom("policies")
      .selectAll()
      .where("rollout", "is not", null)
      .execute();
    for (const row of rows) {
      const stand = standOf(row);
      if (stand === undefined) continue;
      const seen = await watchRollout(database, rolling(row, stand), now());
      if (stand.state !== "running") continue;
      const step = nextRolloutStep(stand, seen, now());
      if (step.kind === "wait") continue;
      if (step.kind === "halt")
        log.warning("A rollout was halted.", { policy: row.name, problem: step.reason });
      await this.#step(row.id, stand, step);
    }
  }

  /** Does nothing if somebody has changed the rollout meanwhile. */
  async #step(policyId: string, seen: RolloutStand, step: RolloutStep): Promise<void> {
    try {
      await this.#change("server", null, policyId, `rollout.${step.kind}`, (row, stand) => {
        if (JSON.stringify(stand) !== JSON.stringify(seen))
          throw new BackstayError("RESOURCE_CHANGED", { policy: row.name });
        return stepped(stand, step, this.#ground.now());
      });
    } catch (error) {
      if (!(error instanceof BackstayError && error.code === "RESOURCE_CHANGED")) throw error;
    }
  }

  async #change(
    actor: string,
    scope: TenantScope,
    policyId: string,
    action: string,
    next: (row: PolicyRow, stand: RolloutStand) => Partial<PolicyRow>,
  ): Promise<void> {
    const tenantId = await this.#ground.database.transaction().execute(async (queries) => {
      const row = await readPolicy(queries, scope, policyId);
      const stand = standOf(row);
      if (stand === undefined)
        throw new BackstayError("RESOURCE_STATE", {
          policy: row.name,
          problem: "nothing is being rolled out",
        });
      const columns = next(row, stand);
      await writePolicy(queries, policyId, row.version, { ...columns, version: row.version + 1 });
      // What machines were like is noted anew when people go on after a halt: they have seen why.
      const isOver = columns.rollout === null || stand.state === "halted";
      if (isOver) await forgetMembers(queries, stand.id);
      const after = standOf({ rollout: columns.rollout ?? null });
      // Before the first of them gets the change: what they are like now is what they are compared with.
      if (after !== undefined) await watchRollout(queries, rolling(row, after), this.#ground.now());
      await raiseTenantRevision(queries, row.tenant_id);
      await this.#record(queries, row, actor, action, columns);
      return row.tenant_id;
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
  }

  async #record(
    queries: Queries,
    row: PolicyRow,
    actor: string,
    action: string,
    { rollout }: Partial<PolicyRow>,
  ): Promise<void> {
    const stand = typeof rollout === "string" ? standOf({ rollout }) : undefined;
    const details = { name: row.name, wave: stand?.wave ?? null, reason: stand?.reason ?? "" };
    const { id: target, tenant_id: tenantId } = row;
    await this.#ground.audit.record(queries, { tenantId, actor, action, target, details });
  }
}

function ordered(
  row: PolicyRow,
  stand: RolloutStand,
  order: RolloutOrder,
  nowMs: number,
): Partial<PolicyRow> {
  switch (order) {
    case "pause":
      return changed({ ...stand, state: "paused", reason: "" });
    case "resume":
      return changed({ ...stand, state: "running", reason: "", waveSinceMs: nowMs });
    case "advance": {
      const wave = stand.wave + 1;
      if (wave === stand.waves.length) return { rollout: null };
      return changed({ ...stand, wave, state: "running", reason: "", waveSinceMs: nowMs });
    }
    case "finish":
      return { rollout: null };
    case "abort": {
      const document = row.previous_document ?? row.document;
      return {
        name: keptDocument(document).name,
        document,
        policy_version: row.policy_version + 1,
        previous_document: row.document,
        previous_version: row.policy_version,
        rollout: null,
      };
    }
  }
}

function stepped(stand: RolloutStand, step: RolloutStep, nowMs: number): Partial<PolicyRow> {
  switch (step.kind) {
    case "wait":
      return changed(stand);
    case "halt":
      return changed({ ...stand, state: "halted", reason: step.reason });
    case "advance":
      return changed({ ...stand, wave: step.wave, waveSinceMs: nowMs });
    case "finish":
      return { rollout: null };
  }
}

function changed(stand: RolloutStand): Partial<PolicyRow> {
  return { rollout: JSON.stringify(stand) };
}

function standOf({ rollout }: Pick<PolicyRow, "rollout">): RolloutStand | undefined {
  return rollout === null ? undefined : rolloutStand.parse(JSON.parse(rollout));
}

function rolling(row: PolicyRow, stand: RolloutStand): Parameters<typeof watchRollout>[1] {
  return { id: row.id, name: row.name, policyVersion: row.policy_version, stand };
}
