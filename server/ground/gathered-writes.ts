/**
 * Writes that come together go into one transaction: a commit waits for the disk or for another machine, so that thousands
 * of agents cost few.
 */
import { setTimeout as sleep } from "node:timers/promises";

export interface GatheredWritesParts<Item, Result> {
  /** So long the first of a batch waits for others, ms. */
  readonly gatherMs: number;
  readonly atOnceMax: number;
  /** Writes all of a batch or none, and answers each in order. */
  readonly write: (batch: readonly Item[]) => Promise<readonly Result[]>;
}

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly written: PromiseWithResolvers<Result>;
}

export class GatheredWrites<Item, Result> {
  readonly #parts: GatheredWritesParts<Item, Result>;
  #waiting: Waiting<Item, Result>[] = [];
  #isWriting = false;

  constructor(parts: GatheredWritesParts<Item, Result>) {
    this.#parts = parts;
  }

  /** Resolves with what `write` says of it, when it is durable. Rejects if it can't be written by itself either. */
  async add(item: Item): Promise<Result> {
    const written = Promise.withResolvers<Result>();
    this.#waiting.push({ item, written });
    if (!this.#isWriting) void this.#writeAll();
    return await written.promise;
  }

  async #writeAll(): Promise<void> {
    this.#isWriting = true;
    await sleep(this.#parts.gatherMs);
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, this.#parts.atOnceMax);
      try {
        await this.#write(batch);
      } catch {
        await this.#writeOneByOne(batch);
      }
    }
    this.#isWriting = false;
  }

  async #write(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const results = await this.#parts.write(batch.map(({ item }) => item));
    for (const [index, { written }] of batch.entries()) written.resolve(results[index] as Result);
  }

  /** One that can't be written, because its machine was just removed, must not hold up the others. */
  async #writeOneByOne(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    for (const each of batch)
      try {
        await this.#write([each]);
      } catch (error) {
        each.written.reject(error);
      }
  }
}
