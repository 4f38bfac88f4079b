/**
 * What is changing in the gateway's storage, as notes in the database: one for each file that is about to appear or to go,
 * with the bytes that are counted for it. A note outlives the process that made it, so that whoever comes next (at the
 * same folder or at the same object storage) looks what became of the file, and puts the count right.
 */
import { randomUUID } from "node:crypto";
import { type FileType, type Handle, handlePath } from "../../storage/object-store.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";
import type { GatewayPlace } from "./gateway-objects.ts";
import { refusal } from "./gateway-problems.ts";

/** A file of a place. */
export interface PlacedFile {
  readonly place: GatewayPlace;
  readonly handle: Handle;
}

/** A note whose process is gone, or could not find out. */
export interface OpenNote extends PlacedFile {
  readonly holder: string;
}

const holdMs = 120_000;
const renewMs = 20_000;
const leasePrefix = "gateway:";
/** Of notes that nobody answers for: their process lives, but could not look. */
const nobody = "";

export class ChangeNotes {
  readonly #ground: ServerGround;
  readonly #holder: string = randomUUID();
  #renewal: NodeJS.Timeout | undefined;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** From now on others know that this process lives. To be called before anything is noted. */
  async begin(): Promise<void> {
    const { database, dialect, now } = this.#ground;
    // A database in a file has one server at a time: the others are gone, whatever they promised.
    if (dialect === "sqlite")
      await database.updateTable("gateway_changes").set({ holder: nobody }).execute();
    await database
      .deleteFrom("leases")
      .where("name", "like", `${leasePrefix}%`)
      .where("until_ms", "<", now())
      .execute();
    await this.#renew();
    this.#renewal = setInterval(() => {
      this.#renew().catch((error: unknown) => {
        this.#ground.log.failure("The gateway could not say that it lives.", error);
      });
    }, renewMs).unref();
  }

  /** Whoever comes next need not wait. */
  async end(): Promise<void> {
    clearInterval(this.#renewal);
    await this.#ground.database.deleteFrom("leases").where("name", "=", this.#lease).execute();
  }

  /** Notes a file; false if there is a note of it already. */
  async add(queries: Queries, { place, handle }: PlacedFile, sizeBytes: number): Promise<boolean> {
    const made = await queries
      .insertInto("gateway_changes")
      .values({
        repository_id: place.repositoryId,
        agent_id: place.agentId,
        file: handlePath(handle),
        tenant_id: place.tenantId,
        file_type: handle.type,
        file_name: handle.name,
        size_bytes: sizeBytes,
        holder: this.#holder,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning("file")
      .executeTakeFirst();
    return made !== undefined;
  }

  /** Takes a note back; the bytes that are counted for the file, or undefined if somebody else has taken it back. */
  async take(
    queries: Queries,
    { place, handle }: PlacedFile,
    holder = this.#holder,
  ): Promise<number | undefined> {
    const taken = await queries
      .deleteFrom("gateway_changes")
      .where("repository_id", "=", place.repositoryId)
      .where("agent_id", "=", place.agentId)
      .where("file", "=", handlePath(handle))
      .where("holder", "=", holder)
      .returning("size_bytes")
      .executeTakeFirst();
    return taken?.size_bytes;
  }

  /** Leaves a note of ours to whoever looks next. */
  async leave({ place, handle }: PlacedFile): Promise<void> {
    await this.#ground.database
      .updateTable("gateway_changes")
      .set({ holder: nobody })
      .where("repository_id", "=", place.repositoryId)
      .where("agent_id", "=", place.agentId)
      .where("file", "=", handlePath(handle))
      .where("holder", "=", this.#holder)
      .execute();
  }

  /** Notes whose process is gone, of one file or of all. */
  async open(file?: PlacedFile): Promise<OpenNote[]> {
    const { database, now } = this.#ground;
    let query = database
      .selectFrom("gateway_changes as note")
      .leftJoin("leases as lease", (join) => join.onRef("lease.holder", "=", "note.holder"))
      .select([
        "note.tenant_id as tenantId",
        "note.repository_id as repositoryId",
        "note.agent_id as agentId",
        "note.file_type as type",
        "note.file_name as name",
        "note.holder as holder",
      ])
      .where("note.holder", "!=", this.#holder)
      .where((columns) =>
        columns.or([columns("lease.until_ms", "is", null), columns("lease.until_ms", "<", now())]),
      );
    if (file !== undefined)
      query = query
        .where("note.repository_id", "=", file.place.repositoryId)
        .where("note.agent_id", "=", file.place.agentId)
        .where("note.file", "=", handlePath(file.handle));
    return (await query.execute()).map(({ type, name, holder, ...place }) => ({
      place,
      handle: { type: type as FileType, name },
      holder,
    }));
  }

  get #lease(): string {
    return `${leasePrefix}${this.#holder}`;
  }

  async #renew(): Promise<void> {
    const { database, now } = this.#ground;
    const row = { name: this.#lease, holder: this.#holder, until_ms: now() + holdMs };
    await database
      .insertInto("leases")
      .values(row)
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ until_ms: row.until_ms }))
      .execute();
  }
}

/** To be thrown where a file has a note of somebody who lives. */
export function underWay(): Error {
  return refusal("gateway-under-way", undefined, { "retry-after": "3" });
}
