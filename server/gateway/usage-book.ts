/**
 * What each machine stores, in its row of machine_repositories, and the quotas. Bytes are counted before they are taken and
 * given back if they don't arrive, in one transaction each: uploads at the same time never exceed a quota together.
 *
 * A place is noted as changing before its first count changes. Only a clean end takes the notes back, so after a crash
 * those places, and no others, are counted anew from what is really there.
 */
import { sql } from "kysely";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { GatewayAccount, StorageLimits } from "./gateway-accounts.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import type { GatewayObjects, GatewayPlace } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";

/** Locks may go so far beyond a quota: what is full can still be read under a lock. */
const lockAllowanceBytes = 1024 * 1024;

export interface UsageBookParts {
  readonly ground: ServerGround;
  readonly objects: GatewayObjects;
  readonly metrics: GatewayMetrics;
}

/** Bytes that are about to arrive. */
export interface Reservation {
  /** They have arrived. */
  keep(): void;
  /** Gives them back unless they have arrived. */
  end(): Promise<void>;
}

export class UsageBook {
  readonly #parts: UsageBookParts;
  /** Places that this process has noted, or is about to. */
  readonly #noted = new Map<
    string,
    { readonly place: GatewayPlace; readonly done: Promise<void> }
  >();
  /** Places that are being counted anew. */
  readonly #settling = new Map<string, Promise<void>>();
  #unsettled: Promise<Map<string, GatewayPlace>> | undefined;

  constructor(parts: UsageBookParts) {
    this.#parts = parts;
  }

  /**
   * Counts anew what was changing when the last process ended. To be called once, at start; ends when the server stops.
   * Rejects with the last of the errors, when all places had their turn; what failed is tried again before it changes.
   */
  async recount(): Promise<void> {
    const failures: unknown[] = [];
    const unsettled = await this.#found();
    for (const [key, place] of [...unsettled]) {
      if (this.#parts.ground.signal.aborted) return;
      if (!unsettled.has(key)) continue;
      await this.#settleOnce(place).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures.at(-1);
  }

  /**
   * Takes `bytes` off the quotas. Throws the Problem to answer with if they do not fit. `mayExceed` for locks.
   */
  async reserve(account: GatewayAccount, bytes: number, mayExceed: boolean): Promise<Reservation> {
    await this.#beginChanges(account.place);
    await this.#parts.ground.database
      .transaction()
      .execute(async (queries) => await this.#add(queries, account, bytes, mayExceed));
    let isOpen = true;
    return {
      keep: () => {
        isOpen = false;
      },
      end: async () => {
        if (!isOpen) return;
        isOpen = false;
        await this.#subtract(account.place, bytes);
      },
    };
  }

  /** A file of so many bytes is about to go, which `remove` does; it resolves to what was freed. */
  async free(place: GatewayPlace, remove: () => Promise<number | undefined>): Promise<void> {
    await this.#beginChanges(place);
    const bytes = await remove();
    if (bytes !== undefined) await this.#subtract(place, bytes);
  }

  /** Nothing changes any more: takes the notes back. To be called when all requests have ended. */
  async close(): Promise<void> {
    for (const { place, done } of this.#noted.values()) {
      const isSettled = await done.then(
        () => true,
        () => false,
      );
      if (isSettled) await this.#parts.objects.noteSettled(place);
    }
    this.#noted.clear();
  }

  async #beginChanges(place: GatewayPlace): Promise<void> {
    const key = keyOf(place);
    let entry = this.#noted.get(key);
    if (entry === undefined) {
      entry = { place, done: this.#prepare(place) };
      this.#noted.set(key, entry);
      // The next request tries again.
      entry.done.catch(() => this.#noted.delete(key));
    }
    await entry.done;
  }

  async #prepare(place: GatewayPlace): Promise<void> {
    if ((await this.#found()).has(keyOf(place))) await this.#settleOnce(place);
    await this.#parts.objects.noteChanging(place);
  }

  async #found(): Promise<Map<string, GatewayPlace>> {
    this.#unsettled ??= this.#parts.objects
      .unsettled()
      .then((places) => new Map(places.map((place) => [keyOf(place), place])))
      .catch((error: unknown) => {
        // The next request looks again.
        this.#unsettled = undefined;
        throw error;
      });
    return await this.#unsettled;
  }

  /** Whoever comes while a place is counted waits for that count. */
  async #settleOnce(place: GatewayPlace): Promise<void> {
    const key = keyOf(place);
    let settling = this.#settling.get(key);
    if (settling === undefined) {
      settling = this.#settle(place).finally(() => this.#settling.delete(key));
      this.#settling.set(key, settling);
    }
    await settling;
  }

  async #settle(place: GatewayPlace): Promise<void> {
    const { objects, ground } = this.#parts;
    const { bytes, objects: count } = await objects.count(place, ground.signal);
    await ground.database
      .updateTable("machine_repositories")
      .set({ stored_bytes: bytes, stored_objects: count })
      .where("agent_id", "=", place.agentId)
      .where("repository_id", "=", place.repositoryId)
      .execute();
    await objects.noteSettled(place);
    (await this.#found()).delete(keyOf(place));
  }

  async #add(
    queries: Queries,
    account: GatewayAccount,
    bytes: number,
    mayExceed: boolean,
  ): Promise<void> {
    const { place, machine, tenant } = account;
    const allowance = mayExceed ? lockAllowanceBytes : 0;
    const hasTenantLimit = tenant.bytesMax !== null || tenant.bytesWarn !== null;
    // All of a tenant wait for each other here: none sees a sum that another is about to change.
    if (hasTenantLimit && this.#parts.ground.dialect === "postgresql")
      await sql`SELECT id FROM tenants WHERE id = ${place.tenantId} FOR UPDATE`.execute(queries);
    const row = await queries
      .updateTable("machine_repositories")
      .set((columns) => ({
        stored_bytes: columns("stored_bytes", "+", bytes),
        stored_objects: columns("stored_objects", "+", 1),
      }))
      .where("agent_id", "=", place.agentId)
      .where("repository_id", "=", place.repositoryId)
      .returning("stored_bytes")
      .executeTakeFirst();
    const mine = row?.stored_bytes ?? bytes;
    if (exceeds(machine, mine - allowance))
      throw refusal("gateway-machine-quota", quotaText(machine));
    const all = hasTenantLimit ? await tenantBytes(queries, place.tenantId) : 0;
    if (exceeds(tenant, all - allowance)) throw refusal("gateway-tenant-quota", quotaText(tenant));
    await this.#warn(queries, account, { bytes, mine, all });
  }

  /** Tells once, when a count goes past where people want to hear of it. */
  async #warn(
    queries: Queries,
    { place, machine, tenant }: GatewayAccount,
    { bytes, mine, all }: { readonly bytes: number; readonly mine: number; readonly all: number },
  ): Promise<void> {
    const { ground, metrics } = this.#parts;
    const crossings = [
      { whose: "machine", limits: machine, now: mine },
      { whose: "tenant", limits: tenant, now: all },
    ] as const;
    for (const { whose, limits, now } of crossings) {
      const { bytesWarn } = limits;
      if (bytesWarn === null || now <= bytesWarn || now - bytes > bytesWarn) continue;
      metrics.quotaWarnings.inc({ whose });
      ground.log.warning("The storage of the gateway is nearly used up.", {
        tenant: place.tenantId,
        repository: place.repositoryId,
        agent: place.agentId,
        sizeBytes: now,
        problem: whose,
      });
      await ground.audit.record(queries, {
        tenantId: place.tenantId,
        actor: "server",
        action: `${whose}.storage-warning`,
        target: whose === "tenant" ? place.tenantId : place.agentId,
        details: { repositoryId: place.repositoryId, storedBytes: now, storedBytesWarn: bytesWarn },
      });
    }
  }

  async #subtract(place: GatewayPlace, bytes: number): Promise<void> {
    await this.#parts.ground.database
      .updateTable("machine_repositories")
      .set((columns) => ({
        stored_bytes: columns("stored_bytes", "-", bytes),
        stored_objects: columns("stored_objects", "-", 1),
      }))
      .where("agent_id", "=", place.agentId)
      .where("repository_id", "=", place.repositoryId)
      .execute();
  }
}

async function tenantBytes(queries: Queries, tenantId: string): Promise<number> {
  const { total } = await queries
    .selectFrom("machine_repositories")
    .select((columns) => columns.fn.sum<number | string | null>("stored_bytes").as("total"))
    .where("tenant_id", "=", tenantId)
    .executeTakeFirstOrThrow();
  return Number(total ?? 0);
}

function exceeds({ bytesMax }: StorageLimits, bytes: number): boolean {
  return bytesMax !== null && bytes > bytesMax;
}

function quotaText({ bytesMax }: StorageLimits): string {
  return `It is ${bytesMax} bytes. What is stored stays and can be read.`;
}

function keyOf({ tenantId, repositoryId, agentId }: GatewayPlace): string {
  return `${tenantId}/${repositoryId}/${agentId}`;
}
