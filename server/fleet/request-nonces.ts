/**
 * Numbers that signed requests have used, shared by all replicas: each counts once. Requests that come together are
 * written together, so that thousands of agents cost few transactions.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerGround } from "../ground/server-ground.ts";

interface Waiting {
  readonly nonce: string;
  readonly expiresMs: number;
  readonly resolve: (isNew: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const rowsMax = 500;
/** So long the first of a batch waits for others. */
const gatherMs = 10;

export class RequestNonces {
  readonly #ground: ServerGround;
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** True if nobody used this number before: it is used from now on, until `expiresMs`. */
  async use(nonce: string, expiresMs: number): Promise<boolean> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ nonce, expiresMs, resolve, reject });
      if (!this.#isWriting) void this.#writeAll();
    });
  }

  /** Forgets numbers whose requests would be refused for their time. */
  async prune(): Promise<void> {
    const { database, now } = this.#ground;
    await database.deleteFrom("request_nonces").where("expires_ms", "<", now()).execute();
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    // What arrives in this time goes along: a commit waits for the disk, or for another machine.
    await sleep(gatherMs);
    while (this.#waiting.length > 0) await this.#write(this.#waiting.splice(0, rowsMax));
    this.#isWriting = false;
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      const rows = await this.#ground.database
        .insertInto("request_nonces")
        .values(batch.map(({ nonce, expiresMs }) => ({ nonce, expires_ms: expiresMs })))
        .onConflict((conflict) => conflict.doNothing())
        .returning("nonce")
        .execute();
      const fresh = new Set(rows.map(({ nonce }) => nonce));
      // Of two in one batch the first counts.
      for (const { nonce, resolve } of batch) resolve(fresh.delete(nonce));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
