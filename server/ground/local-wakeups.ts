/** Wakeups within one process, for a server that has its database to itself. */
import type { Wakeups } from "./server-ground.ts";
import { TopicListeners } from "./topic-listeners.ts";

export class LocalWakeups implements Wakeups {
  readonly #listeners = new TopicListeners();

  async publish(topic: string): Promise<void> {
    this.#listeners.tell(topic);
  }

  subscribe(topic: string, listener: () => void): () => void {
    return this.#listeners.subscribe(topic, listener);
  }
}
