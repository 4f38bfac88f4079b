/** Policies of the server: what machines back up, given to groups and machines, changed in waves. */
import { randomUUIDv7 } from "node:crypto";
import type { Selectable } from "kysely";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { PolicyDocument } from "../../protocol/policy/policy.ts";
import type { Tables } from "../database/tables.ts";
import {
  knownRow,
  type Page,
  requireVersion,
  type TenantScope,
  tenantRows,
} from "../ground/resource-access.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { raiseTenantRevision } from "../ground/tenant-revision.ts";
import { markIntent } from "./agent-intents.ts";
import {
  assignedAgents,
  assignmentsOf,
  assignPolicy,
  type PolicyAssignments,
} from "./policy-assignments.ts";
import { checkedPolicy, formerPasswords, keptDocument } from "./policy-check.ts";
import {
  defaultWaves,
  type RolloutStand,
  type RolloutWave,
  rolloutStand,
  smallFleet,
} from "./rollout.ts";
import { forgetMembers, watchRollout } from "./rollout-watch.ts";

export interface PolicySettings extends PolicyAssignments {
  /** A policy document; its name is the policy's. `destination.repository` is `backstay:<name of a repository>`. */
  readonly document: Readonly<Record<string, unknown>>;
  /** `server`: runs start by commands of the server's schedule. */
  readonly managedBy: "agent" | "server";
  /** How the server deals with runs that it could not start in time. */
  readonly serverSchedule: Readonly<Record<string, unknown>>;
}

export interface ServerPolicy extends Omit<PolicySettings, "document"> {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly document: PolicyDocument;
  /** Rises with each change of what machines get. */
  readonly policyVersion: number;
  /** Null: every machine has this version, or gets it with its next bundle. */
  readonly rollout: RolloutStand | null;
  readonly createdMs: number;
  readonly version: number;
}

/** How a change is to reach its machines. */
export interface PolicyChange {
  /** Absent: the usual waves, or at once where there are few machines. Empty: at once. */
  readonly waves?: readonly RolloutWave[] | undefined;
  /** True: it is meant that machines back up less, or nothing; else they refuse to lose more than half. */
  readonly isReduction?: boolean | undefined;
}

type PolicyRow = Selectable<Tables["policies"]>;

export class Policies {
  readonly #ground: ServerGround;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  async list(
    scope: TenantScope,
    page: Page,
    filter: { name?: string | undefined; isRollingOut?: true } = {},
  ): Promise<ServerPolicy[]> {
    let query = tenantRows(this.#ground.database, "policies", scope, page, { name: filter.name });
    if (filter.isRollingOut === true) query = query.where("rollout", "is not", null);
    return await policiesOf(this.#ground.database, await query.execute());
  }

  /** RESOURCE_UNKNOWN if there is none that the asker may see. */
  async get(scope: TenantScope, id: string): Promise<ServerPolicy> {
    const { database } = this.#ground;
    const [policy] = await policiesOf(database, [await readPolicy(database, scope, id)]);
    return policy;
  }

  /** RESOURCE_INVALID for what no machine could take, RESOURCE_EXISTS if the tenant has one of the name. */
  async create(actor: string, tenantId: string, settings: PolicySettings): Promise<ServerPolicy> {
    const id = randomUUIDv7();
    await this.#change(actor, "policy.create", { id, tenantId }, async (queries) => {
      const { policy, document } = await checkedPolicy(queries, tenantId, settings.document);
      await requireFreeName(queries, tenantId, policy.name, id);
      await queries
        .insertInto("policies")
        .values({
          id,
          tenant_id: tenantId,
          name: policy.name,
          document,
          ...columnsOf(settings),
          policy_version: 1,
          rollout: null,
          previous_document: null,
          previous_version: null,
          created_ms: this.#ground.now(),
          version: 1,
        })
        .execute();
      await assignPolicy(queries, { id, tenantId }, settings);
      return { name: policy.name };
    });
    return await this.get(tenantId, id);
  }

  /**
   * RESOURCE_CHANGED if it is no longer at that version, RESOURCE_EXISTS if the new name is taken, RESOURCE_STATE for
   * another document while the last one is still being rolled out.
   */
  async replace(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    settings: PolicySettings,
    change: PolicyChange = {},
  ): Promise<ServerPolicy> {
    const { tenantId } = await this.get(scope, id);
    await this.#change(actor, "policy.update", { id, tenantId }, async (queries) => {
      const before = await readPolicy(queries, scope, id);
      requireVersion("policy", before, version);
      const { policy, document } = await checkedPolicy(queries, tenantId, settings.document);
      const { name } = policy;
      await requireFreeName(queries, tenantId, name, id);
      const losers = change.isReduction === true ? await assignedAgents(queries, id) : [];
      await assignPolicy(queries, { id, tenantId }, settings);
      const isOther = document !== before.document;
      if (isOther && before.rollout !== null)
        throw new BackstayError("RESOURCE_STATE", {
          policy: before.name,
          problem: "its last change is still being rolled out: finish or abort that first",
        });
      const rollout = isOther ? await this.#newRollout(queries, id, actor, change) : undefined;
      await writePolicy(queries, id, version, {
        name,
        document,
        ...columnsOf(settings),
        ...(isOther && {
          policy_version: before.policy_version + 1,
          previous_document: before.document,
          previous_version: before.policy_version,
          former_passwords: JSON.stringify(formerPasswords(before, policy)),
          rollout: rollout === undefined ? null : JSON.stringify(rollout),
        }),
        version: version + 1,
      });
      if (rollout !== undefined) {
        const rolling = { id, name, policyVersion: before.policy_version + 1, stand: rollout };
        await watchRollout(queries, rolling, this.#ground.now());
      }
      await this.#markReduction(queries, tenantId, losers);
      return { name, waves: rollout?.waves.length ?? 0, machinesMayLose: losers.length };
    });
    return await this.get(scope, id);
  }

  /**
   * Machines that had it back it up no more; what they stored stays. They refuse to lose more than half of what they back
   * up unless `isReduction` says that it is meant.
   */
  async remove(
    actor: string,
    scope: TenantScope,
    id: string,
    version: number,
    { isReduction }: Pick<PolicyChange, "isReduction"> = {},
  ): Promise<void> {
    const { tenantId } = await this.get(scope, id);
    await this.#change(actor, "policy.remove", { id, tenantId }, async (queries) => {
      const row = await readPolicy(queries, scope, id);
      requireVersion("policy", row, version);
      const losers = isReduction === true ? await assignedAgents(queries, id) : [];
      await this.#markReduction(queries, tenantId, losers);
      if (row.rollout !== null)
        await forgetMembers(queries, rolloutStand.parse(JSON.parse(row.rollout)).id);
      await queries.deleteFrom("policies").where("id", "=", id).execute();
      return { name: row.name, machinesMayLose: losers.length };
    });
  }

  /** Undefined if every machine gets the change at once. */
  async #newRollout(
    queries: Queries,
    id: string,
    actor: string,
    { waves }: PolicyChange,
  ): Promise<RolloutStand | undefined> {
    const isSmall = (await assignedAgents(queries, id)).length < smallFleet;
    const chosen = waves ?? (isSmall ? [] : defaultWaves);
    if (chosen.length === 0) return undefined;
    requireRising(chosen);
    const now = this.#ground.now();
    return {
      id: randomUUIDv7(),
      waves: [...chosen],
      wave: 0,
      waveSinceMs: now,
      state: "running",
      reason: "",
      startedMs: now,
      startedBy: actor,
    };
  }

  async #markReduction(queries: Queries, tenantId: string, agentIds: string[]): Promise<void> {
    const nowMs = this.#ground.now();
    await markIntent(queries, tenantId, agentIds, { intent: "stop", about: "change", nowMs });
  }

  async #change(
    actor: string,
    action: string,
    { id: target, tenantId }: { readonly id: string; readonly tenantId: string },
    work: (queries: Queries) => Promise<Record<string, string | number>>,
  ): Promise<void> {
    await this.#ground.database.transaction().execute(async (queries) => {
      const details = await work(queries);
      await raiseTenantRevision(queries, tenantId);
      await this.#ground.audit.record(queries, { tenantId, actor, action, target, details });
    });
    await this.#ground.wakeups.publish(`tenant:${tenantId}`);
  }
}

/** The row of a policy, or RESOURCE_UNKNOWN. */
export async function readPolicy(
  queries: Queries,
  scope: TenantScope,
  id: string,
): Promise<PolicyRow> {
  let query = queries.selectFrom("policies").selectAll().where("id", "=", id);
  if (scope !== null) query = query.where("tenant_id", "=", scope);
  return knownRow("policy", id, await query.executeTakeFirst());
}

/** Changes a policy that is at `version`, or RESOURCE_CHANGED. */
export async function writePolicy(
  queries: Queries,
  id: string,
  version: number,
  columns: Partial<PolicyRow>,
): Promise<void> {
  const { numUpdatedRows } = await queries
    .updateTable("policies")
    .set(columns)
    .where("id", "=", id)
    .where("version", "=", version)
    .executeTakeFirst();
  if (numUpdatedRows === 0n) throw new BackstayError("RESOURCE_CHANGED", { policy: id });
}

async function requireFreeName(
  queries: Queries,
  tenantId: string,
  name: string,
  id: string,
): Promise<void> {
  const other = await queries
    .selectFrom("policies")
    .select("id")
    .where("tenant_id", "=", tenantId)
    .where("name", "=", name)
    .where("id", "!=", id)
    .executeTakeFirst();
  if (other !== undefined) throw new BackstayError("RESOURCE_EXISTS", { policy: name });
}

function requireRising(waves: readonly RolloutWave[]): void {
  const isRising = waves.every(
    ({ percent }, at) => at === 0 || percent > (waves[at - 1]?.percent ?? 0),
  );
  if (!isRising || waves.at(-1)?.percent !== 100)
    throw new BackstayError("RESOURCE_INVALID", {
      field: "waves",
      problem: "must rise, and end with 100",
    });
}

function columnsOf(settings: PolicySettings): Pick<PolicyRow, "managed_by" | "server_schedule"> {
  return {
    managed_by: settings.managedBy,
    server_schedule: JSON.stringify(settings.serverSchedule),
  };
}

async function policiesOf(queries: Queries, rows: readonly PolicyRow[]): Promise<ServerPolicy[]> {
  const assignments = await assignmentsOf(
    queries,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({
    ...(assignments.get(row.id) ?? { groupIds: [], agentIds: [] }),
    id: row.id,
    tenantId: row.tenant_id,
    name: row.name,
    document: keptDocument(row.document),
    managedBy: row.managed_by,
    serverSchedule: JSON.parse(row.server_schedule) as Record<string, unknown>,
    policyVersion: row.policy_version,
    rollout: row.rollout === null ? null : rolloutStand.parse(JSON.parse(row.rollout)),
    createdMs: row.created_ms,
    version: row.version,
  }));
}
