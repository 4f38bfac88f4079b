/**
 * Since when the server remembers without a gap. A server that was down, or whose database was set back to a backup of
 * it, says until when its memory reaches: machines then send again what they had delivered after that. And it does not
 * call them overdue before they had time to come back.
 */
import type { ServerGround } from "../ground/server-ground.ts";

interface Memory {
  /** When a server was seen to work last. */
  readonly aliveMs: number;
  /** What was taken after this may be lost. */
  readonly reachesMs: number;
  /** Until then silence is our own fault. */
  readonly forbearUntilMs: number;
}

const fact = "server-memory";
/** To be looked after so often, by one replica. */
export const memoryLookEveryMs = 30_000;
const gapMsMin = 120_000;
/** Outages of this length have made machines wait. */
const outageMsMin = 600_000;
const forbearanceMs = 1_800_000;
const cacheMs = 15_000;

export class ServerMemory {
  readonly #ground: Pick<ServerGround, "database" | "now">;
  #cached: { readonly memory: Memory | undefined; readonly readMs: number } | undefined;

  constructor(ground: Pick<ServerGround, "database" | "now">) {
    this.#ground = ground;
  }

  /** Notes that a server works now, and whether there was a gap before. */
  async look(): Promise<void> {
    const nowMs = this.#ground.now();
    const before = (await this.#read()) ?? { aliveMs: nowMs, reachesMs: 0, forbearUntilMs: 0 };
    const gapMs = nowMs - before.aliveMs;
    const memory: Memory = {
      aliveMs: nowMs,
      reachesMs: gapMs > gapMsMin ? before.aliveMs : before.reachesMs,
      forbearUntilMs: gapMs > outageMsMin ? nowMs + forbearanceMs : before.forbearUntilMs,
    };
    const value = JSON.stringify(memory);
    await this.#ground.database
      .insertInto("server_facts")
      .values({ name: fact, value })
      .onConflict((conflict) => conflict.column("name").doUpdateSet({ value }))
      .execute();
    this.#cached = undefined;
  }

  /** For the header of answers: reports that were delivered after that are to be sent again; 0: none ever. */
  async reachesMs(): Promise<number> {
    return (await this.#cachedMemory())?.reachesMs ?? 0;
  }

  /** True while machines have to be given time to come back. */
  async forbears(): Promise<boolean> {
    const memory = await this.#read();
    return memory !== undefined && this.#ground.now() < memory.forbearUntilMs;
  }

  async #cachedMemory(): Promise<Memory | undefined> {
    const nowMs = this.#ground.now();
    if (this.#cached === undefined || Math.abs(nowMs - this.#cached.readMs) > cacheMs)
      this.#cached = { memory: await this.#read(), readMs: nowMs };
    return this.#cached.memory;
  }

  async #read(): Promise<Memory | undefined> {
    const row = await this.#ground.database
      .selectFrom("server_facts")
      .select("value")
      .where("name", "=", fact)
      .executeTakeFirst();
    return row === undefined ? undefined : (JSON.parse(row.value) as Memory);
  }
}
