/**
 * What each machine stores, in its row of machine_repositories, and the quotas. Bytes are counted before they are taken and
 * given back if they don't arrive, in one transaction each: uploads at the same time never exceed a quota together.
 *
 * In the same transactions stand notes of the files that are changing (change-notes.ts). Where it stayed open what became
 * of a file, since a process has died or a storage has not answered, the file itself is looked for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sql } from "kysely";
import type { Handle } from "../../storage/object-store.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import { ChangeNotes, type OpenNote, type PlacedFile, underWay } from "./change-notes.ts";
import type { GatewayAccount, StorageLimits } from "./gateway-accounts.ts";
import type { GatewayMetrics } from "./gateway-metrics.ts";
import { countObjects, type GatewayObjects, type GatewayPlace } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";

/** Locks may go so far beyond a quota: what is full can still be read under a lock. */
const lockAllowanceBytes = 1024 * 1024;

export interface UsageBookParts {
  readonly ground: ServerGround;
  readonly metrics: GatewayMetrics;
  /** Does something with the objects that a place is in. */
  readonly withObjects: WithObjects;
  /** So long a file waits while the same one is on its way; 10 s unless given. */
  readonly patienceMs?: number | undefined;
}

const usualPatienceMs = 10_000;

export type WithObjects = <T>(
  place: GatewayPlace,
  act: (objects: GatewayObjects) => Promise<T>,
) => Promise<T>;

/** A file that is about to arrive. */
export interface ExpectedFile {
  readonly handle: Handle;
  readonly sizeBytes: number;
}

/** Bytes that are about to arrive. One of these is to be called in the end. */
export interface Reservation {
  /** They have arrived. */
  keep(): Promise<void>;
  /** They have not. */
  giveBack(): Promise<void>;
  /** Nobody knows: looks whether the file is there, now or later. Never rejects. */
  look(objects: GatewayObjects): Promise<void>;
}

export class UsageBook {
  readonly #parts: UsageBookParts;
  readonly #notes: ChangeNotes;
  /** Places that are being counted anew: changes wait. */
  readonly #counting = new Map<string, Promise<void>>();

  constructor(parts: UsageBookParts) {
    this.#parts = parts;
    this.#notes = new ChangeNotes(parts.ground);
  }

  /** To be called once, before anything changes. */
  async begin(): Promise<void> {
    await this.#notes.begin();
  }

  /** To be called when all requests have ended. */
  async end(): Promise<void> {
    await this.#notes.end();
  }

  /**
   * Looks for the files of which it stayed open whether they are there. Ends when the server stops. Rejects with the last
   * of the errors, when all had their turn; what failed is looked for again with the next call.
   */
  async settle(): Promise<void> {
    const failures: unknown[] = [];
    for (const note of await this.#notes.open()) {
      if (this.#parts.ground.signal.aborted) return;
      await this.#settle(note).catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw failures.at(-1);
  }

  /**
   * Counts places anew by listing them, one after the other; what changes there waits so long. `counted` is told of each.
   * Rejects with the last of the errors, when all had their turn.
   */
  async recount(
    places: readonly GatewayPlace[],
    counted: (place: GatewayPlace) => Promise<void>,
  ): Promise<void> {
    const failures: unknown[] = [];
    let last = Promise.resolve();
    for (const place of places) {
      const key = keyOf(place);
      last = last
        .then(async () => {
          await this.#recount(place);
          await counted(place);
        })
        .catch((error: unknown) => void failures.push(error))
        .finally(() => this.#counting.delete(key));
      this.#counting.set(key, last);
    }
    await last;
    if (failures.length > 0) throw failures.at(-1);
  }

  /**
   * Takes the bytes of a file off the quotas; locks may go beyond them a little. Throws the Problem to answer with if they
   * do not fit, or if the same file is on its way in already.
   */
  async reserve(
    account: GatewayAccount,
    { handle, sizeBytes }: ExpectedFile,
  ): Promise<Reservation> {
    const { place } = account;
    const file = { place, handle };
    await this.#note(file, sizeBytes, async (queries) => {
      await this.#add(queries, account, sizeBytes, handle.type === "locks");
    });
    return {
      keep: async () => {
        await this.#notes.take(this.#parts.ground.database, file);
      },
      giveBack: async () => await this.#giveBack(file),
      look: async (objects) => {
        try {
          if ((await objects.stat(place, handle)) === undefined) await this.#giveBack(file);
          else await this.#notes.take(this.#parts.ground.database, file);
        } catch (error) {
          await this.#leave(file, error);
        }
      },
    };
  }

  /** Removes a file, and gives its bytes back. */
  async free(objects: GatewayObjects, place: GatewayPlace, handle: Handle): Promise<void> {
    const file = { place, handle };
    const sizeBytes = await objects.stat(place, handle);
    if (sizeBytes === undefined) return;
    await this.#note(file, sizeBytes, async () => {});
    try {
      // Somebody else may have been quicker, and has given them back.
      if ((await objects.stat(place, handle)) === undefined) {
        await this.#notes.take(this.#parts.ground.database, file);
        return;
      }
      await objects.remove(place, handle);
    } catch (error) {
      await this.#leave(file, error);
      throw error;
    }
    await this.#giveBack(file);
  }

  /** Makes a note of a file, and does something to the count in the same transaction. */
  async #note(
    file: PlacedFile,
    sizeBytes: number,
    count: (queries: Queries) => Promise<void>,
  ): Promise<void> {
    await this.#counting.get(keyOf(file.place));
    const attempt = async (): Promise<boolean> =>
      await this.#parts.ground.database.transaction().execute(async (queries) => {
        if (!(await this.#notes.add(queries, file, sizeBytes))) return false;
        await count(queries);
        return true;
      });
    if (await attempt()) return;
    for (const note of await this.#notes.open(file)) await this.#settle(note);
    // Clients that were cut off come again at once: what they left is about to end.
    const { patienceMs = usualPatienceMs, ground } = this.#parts;
    const beginMs = performance.now();
    for (let delayMs = 10; !(await attempt()); delayMs *= 2) {
      if (performance.now() - beginMs + delayMs > patienceMs) throw underWay();
      await sleep(delayMs, undefined, { signal: ground.signal });
    }
  }

  async #settle(note: OpenNote): Promise<void> {
    const { place, handle, holder } = note;
    const isThere = await this.#parts.withObjects(
      place,
      async (objects) => (await objects.stat(place, handle)) !== undefined,
    );
    if (isThere) await this.#notes.take(this.#parts.ground.database, note, holder);
    else await this.#giveBack(note, holder);
  }

  /** Takes the note back, and its bytes off the count. */
  async #giveBack(file: PlacedFile, holder?: string): Promise<void> {
    await this.#parts.ground.database.transaction().execute(async (queries) => {
      const bytes = await this.#notes.take(queries, file, holder);
      if (bytes !== undefined) await this.#subtract(queries, file.place, bytes);
    });
  }

  async #leave(file: PlacedFile, error: unknown): Promise<void> {
    const { log } = this.#parts.ground;
    log.failure("Whether a file of the gateway is there could not be found out yet.", error);
    await this.#notes.leave(file).catch((failure: unknown) => {
      log.failure("What is left to be looked for could not be noted.", failure);
    });
  }

  async #recount(place: GatewayPlace): Promise<void> {
    const { ground, withObjects } = this.#parts;
    const { bytes, objects: count } = await withObjects(
      place,
      async (objects) => await countObjects(objects, place, ground.signal),
    );
    await ground.database.transaction().execute(async (queries) => {
      await queries
        .deleteFrom("gateway_changes")
        .where("agent_id", "=", place.agentId)
        .where("repository_id", "=", place.repositoryId)
        .execute();
      await queries
        .updateTable("machine_repositories")
        .set({ stored_bytes: bytes, stored_objects: count })
        .where("agent_id", "=", place.agentId)
        .where("repository_id", "=", place.repositoryId)
        .execute();
    });
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

  async #subtract(queries: Queries, place: GatewayPlace, bytes: number): Promise<void> {
    await queries
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
