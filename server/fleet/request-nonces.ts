/**
 * Numbers that signed requests have used, shared by all replicas: each counts once. Requests that come together are
 * written together.
 */
import { GatheredWrites } from "../ground/gathered-writes.ts";
import type { ServerGround } from "../ground/server-ground.ts";

interface Used {
  readonly nonce: string;
  readonly expiresMs: number;
}

const rowsMax = 500;
const gatherMs = 20;

export class RequestNonces {
  readonly #ground: ServerGround;
  readonly #writes: GatheredWrites<Used, boolean>;

  constructor(ground: ServerGround) {
    this.#ground = ground;
    const write = async (batch: readonly Used[]): Promise<boolean[]> => await this.#write(batch);
    this.#writes = new GatheredWrites({ gatherMs, atOnceMax: rowsMax, write });
  }

  /** True if nobody used this number before: it is used from now on, until `expiresMs`. */
  async use(nonce: string, expiresMs: number): Promise<boolean> {
    return await this.#writes.add({ nonce, expiresMs });
  }

  /** Forgets numbers whose requests would be refused for their time. */
  async prune(): Promise<void> {
    const { database, now } = this.#ground;
    await database.deleteFrom("request_nonces").where("expires_ms", "<", now()).execute();
  }

  async #write(batch: readonly Used[]): Promise<boolean[]> {
    const rows = await this.#ground.database
      .insertInto("request_nonces")
      .values(batch.map(({ nonce, expiresMs }) => ({ nonce, expires_ms: expiresMs })))
      .onConflict((conflict) => conflict.doNothing())
      .returning("nonce")
      .execute();
    const fresh = new Set(rows.map(({ nonce }) => nonce));
    // Of two in one batch the first counts.
    return batch.map(({ nonce }) => fresh.delete(nonce));
  }
}
