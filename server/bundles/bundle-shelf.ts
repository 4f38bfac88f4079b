/** Where the newest bundle of each machine is kept. What is put there at the same time is written in one transaction. */
import type { Selectable } from "kysely";
import type { Tables } from "../database/tables.ts";
import { GatheredWrites } from "../ground/gathered-writes.ts";
import type { Queries, ServerGround } from "../ground/server-ground.ts";

export type BundleRow = Selectable<Tables["bundles"]>;
/** Of a bundle all but its text. */
export type BundleStand = Omit<BundleRow, "jws">;

interface Change {
  readonly agentId: string;
  /** False if it came too late. */
  readonly change: (queries: Queries) => Promise<boolean>;
}

const gatherMs = 10;
const atOnceMax = 100;

export class BundleShelf {
  readonly #database: ServerGround["database"];
  readonly #writes: GatheredWrites<Change, boolean>;

  constructor(database: ServerGround["database"]) {
    this.#database = database;
    const write = async (batch: readonly Change[]): Promise<boolean[]> => await this.#write(batch);
    this.#writes = new GatheredWrites({ gatherMs, atOnceMax, write });
  }

  /** Puts a bundle in the place of exactly `stand`; false if that is there no more. */
  async put(stand: BundleStand | undefined, row: BundleRow): Promise<boolean> {
    if (stand !== undefined) return await this.#replace(stand, row);
    return await this.#writes.add({
      agentId: row.agent_id,
      change: async (queries) => {
        const { numInsertedOrUpdatedRows } = await queries
          .insertInto("bundles")
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst();
        return numInsertedOrUpdatedRows === 1n;
      },
    });
  }

  /** Notes that what is there is good for a later revision of its tenant too. */
  async keep(stand: BundleStand, revision: number): Promise<void> {
    await this.#replace(stand, { revision });
  }

  async #replace(stand: BundleStand, columns: Partial<BundleRow>): Promise<boolean> {
    return await this.#writes.add({
      agentId: stand.agent_id,
      change: async (queries) => {
        const { numUpdatedRows } = await queries
          .updateTable("bundles")
          .set(columns)
          .where("agent_id", "=", stand.agent_id)
          .where("serial", "=", stand.serial)
          .where("hash", "=", stand.hash)
          .executeTakeFirst();
        return numUpdatedRows === 1n;
      },
    });
  }

  async #write(batch: readonly Change[]): Promise<boolean[]> {
    // In one order everywhere: replicas never wait for each other in a circle.
    const order = [...batch.keys()].toSorted((a, b) =>
      (batch[a]?.agentId ?? "") < (batch[b]?.agentId ?? "") ? -1 : 1,
    );
    const done = batch.map(() => false);
    await this.#database.transaction().execute(async (queries) => {
      for (const index of order) {
        done[index] = (await batch[index]?.change(queries)) ?? false;
      }
    });
    return done;
  }
}
