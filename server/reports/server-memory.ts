/**
 * Gaps in what the server remembers. A server that was down, or whose database was set back to a backup of it, says
 * until when its memory reaches: machines then tell again what they had told after that. And it does not call them
 * overdue before they had time to come back.
 */
import type { ServerGround } from "../ground/server-ground.ts";

interface Gap {
  readonly notedMs: number;
  /** What was taken after this may be lost. */
  readonly reachesMs: number;
}

interface Memory {
  /** When a server was seen to work last. */
  readonly aliveMs: number;
  /** Oldest first. A machine that was off for long has to hear of each. */
  readonly gaps: readonly Gap[];
  /** Until then silence is our own fault. */
  readonly forbearUntilMs: number;
}

const fact = "server-memory";
/** To be looked after so often, by one replica. */
export const memoryLookEveryMs = 30_000;
/** A server that goes on was held up; by more, something else has happened. */
const gapMsMin = 120_000;
/** Outages of this length have made machines wait. */
const outageMsMin = 600_000;
const forbearanceMs = 1_800_000;
const cacheMs = 15_000;
const gapsMax = 5;

export class ServerMemory {
  readonly #ground: Pick<ServerGround, "database" | "now">;
  /** This server has seen before how the database goes on. */
  #hasLooked = false;
  #cached: { readonly memory: Memory | undefined; readonly readMs: number } | undefined;

  constructor(ground: Pick<ServerGround, "database" | "now">) {
    this.#ground = ground;
  }

  /** Notes that a server works now, and whether there was a gap before: at a server's first look any time is one. */
  async look(): Promise<void> {
    const nowMs = this.#ground.now();
    const before = (await this.#read()) ?? { aliveMs: nowMs, gaps: [], forbearUntilMs: 0 };
    const gapMs = nowMs - before.aliveMs;
    const isGap = gapMs > (this.#hasLooked ? gapMsMin : 0);
    this.#hasLooked = true;
    const memory: Memory = {
      aliveMs: nowMs,
      gaps: isGap ? withGap(before.gaps, nowMs, before.aliveMs) : before.gaps,
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

  /** The header `backstay-memory` of answers. */
  async gaps(): Promise<string> {
    const gaps = (await this.#cachedMemory())?.gaps ?? [];
    return gaps.map(({ notedMs, reachesMs }) => `${notedMs}-${reachesMs}`).join(",") || "0";
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

/** With one more; the oldest two become one that covers both. */
function withGap(gaps: readonly Gap[], nowMs: number, reachesMs: number): readonly Gap[] {
  const notedMs = Math.max(nowMs, (gaps.at(-1)?.notedMs ?? 0) + 1);
  const all = [...gaps, { notedMs, reachesMs }];
  const [first, second, ...rest] = all;
  if (all.length <= gapsMax || first === undefined || second === undefined) return all;
  const both = {
    notedMs: second.notedMs,
    reachesMs: Math.min(first.reachesMs, second.reachesMs),
  };
  return [both, ...rest];
}
