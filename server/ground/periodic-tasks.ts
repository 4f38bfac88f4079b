/** What the server does by itself from time to time: each task on one replica at a time, which holds its lease. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerGround } from "./server-ground.ts";

export interface PeriodicTask {
  /** Of its lease too. */
  readonly name: string;
  readonly everyMs: number;
  /** Done by every replica for itself; absent: by one of them for all. */
  readonly isOfEach?: boolean;
  /** May be interrupted anywhere and done again. What it throws is logged. */
  run(): Promise<void>;
}

/** Whoever died with a lease is succeeded after so many turns. */
const turnsMax = 3;

export class PeriodicTasks {
  readonly #ground: ServerGround;
  /** Names this process. */
  readonly #holder = randomUUID();
  readonly #running: Promise<void>[] = [];

  constructor(ground: ServerGround) {
    this.#ground = ground;
  }

  /** Does it now, and again and again until the server stops. */
  start(task: PeriodicTask): void {
    this.#running.push(this.#repeat(task));
  }

  /** Resolves once the server has stopped and nothing is under way. */
  async ended(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #repeat(task: PeriodicTask): Promise<void> {
    const { signal, log } = this.#ground;
    while (!signal.aborted) {
      try {
        if (task.isOfEach === true || (await takeLease(this.#ground, task, this.#holder)))
          await task.run();
      } catch (error) {
        if (!signal.aborted) log.failure(`The task "${task.name}" failed.`, error);
      }
      // Replicas that started together don't stay in step.
      const restMs = task.everyMs * (0.9 + Math.random() / 5);
      await sleep(restMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

/** True if `holder` may do the task now: nobody else has begun it within its last turns. */
export async function takeLease(
  { database, now }: Pick<ServerGround, "database" | "now">,
  { name, everyMs }: Pick<PeriodicTask, "name" | "everyMs">,
  holder: string,
): Promise<boolean> {
  const lease = { holder, until_ms: Math.ceil(now() + everyMs * turnsMax) };
  const { numInsertedOrUpdatedRows } = await database
    .insertInto("leases")
    .values({ name, ...lease })
    .onConflict((conflict) =>
      conflict
        .column("name")
        .doUpdateSet(lease)
        .where((eb) =>
          eb.or([eb("leases.until_ms", "<", now()), eb("leases.holder", "=", holder)]),
        ),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}
