/**
 * Wakeups between replicas, by LISTEN and NOTIFY of their PostgreSQL. Listeners of the same process hear at once; what is
 * said while the connection is down is lost to the others, who look again after a while by themselves.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Kysely, sql } from "kysely";
import { Client, type ClientConfig } from "pg";
import type { Tables } from "../database/tables.ts";
import type { ServerLog, Wakeups } from "./server-ground.ts";
import { TopicListeners } from "./topic-listeners.ts";

export interface PostgresWakeupsParts {
  readonly database: Kysely<Tables>;
  readonly connection: ClientConfig;
  readonly log: ServerLog;
}

const channel = "backstay_wakeups";
/** In one query; a change of many machines is told in several. */
const topicsAtOnce = 1000;
const retryMinMs = 500;
const retryMaxMs = 15_000;

export class PostgresWakeups implements Wakeups {
  readonly #parts: PostgresWakeupsParts;
  readonly #listeners = new TopicListeners();
  readonly #ending = new AbortController();
  /** Before each topic: what we said ourselves was heard here already. */
  readonly #sender = randomUUID();
  readonly #unsent = new Set<string>();
  #sending: Promise<void> | undefined;
  readonly #listening: Promise<void>;

  constructor(parts: PostgresWakeupsParts) {
    this.#parts = parts;
    this.#listening = this.#listen();
  }

  async publish(topic: string): Promise<void> {
    this.#listeners.tell(topic);
    this.#unsent.add(topic);
    this.#sending ??= this.#send();
    await this.#sending;
  }

  subscribe(topic: string, listener: () => void): () => void {
    return this.#listeners.subscribe(topic, listener);
  }

  /** Nothing is heard or said from now on. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all([this.#listening, this.#sending]);
  }

  async #send(): Promise<void> {
    while (this.#unsent.size > 0 && !this.#ending.signal.aborted) {
      const topics = [...this.#unsent].slice(0, topicsAtOnce);
      for (const topic of topics) this.#unsent.delete(topic);
      const messages = JSON.stringify(topics.map((topic) => `${this.#sender} ${topic}`));
      try {
        await sql`SELECT pg_notify(${channel}, topic) FROM json_array_elements_text(${messages}::json) AS topic`.execute(
          this.#parts.database,
        );
      } catch (error) {
        this.#parts.log.failure("Other servers could not be told of changes.", error);
      }
    }
    this.#sending = undefined;
  }

  /** Keeps one connection that listens until the end. */
  async #listen(): Promise<void> {
    const { signal } = this.#ending;
    let delayMs = retryMinMs;
    while (!signal.aborted) {
      try {
        await this.#listenOnce(() => {
          delayMs = retryMinMs;
        });
      } catch (error) {
        if (!signal.aborted)
          this.#parts.log.failure("Changes by other servers are not heard at the moment.", error);
      }
      await sleep(delayMs * (0.5 + Math.random()), undefined, { signal }).catch(() => undefined);
      delayMs = Math.min(retryMaxMs, delayMs * 2);
    }
  }

  /** Resolves or rejects when the connection ends. */
  async #listenOnce(onListening: () => void): Promise<void> {
    const { signal } = this.#ending;
    // No statement is under way for long here, but the connection idles for ever.
    const client = new Client({ ...this.#parts.connection, keepAlive: true });
    const ended = Promise.withResolvers<void>();
    // It may be rejected before anybody waits for it.
    ended.promise.catch(() => undefined);
    client.on("error", ended.reject);
    client.on("end", ended.resolve);
    client.on("notification", ({ payload = "" }) => {
      const space = payload.indexOf(" ");
      if (payload.slice(0, space) !== this.#sender) this.#listeners.tell(payload.slice(space + 1));
    });
    const end = (): void => ended.resolve();
    signal.addEventListener("abort", end, { once: true });
    try {
      await client.connect();
      await client.query(`LISTEN ${channel}`);
      onListening();
      if (!signal.aborted) await ended.promise;
    } finally {
      signal.removeEventListener("abort", end);
      await client.end().catch(() => undefined);
    }
  }
}
