/** Who in this process waits for which topic. */

export class TopicListeners {
  readonly #listeners = new Map<string, Set<() => void>>();

  /** Returns how to end it; ending twice is harmless. */
  subscribe(topic: string, listener: () => void): () => void {
    // Each subscription is its own, though two may bring the same function.
    const own = (): void => listener();
    const others = this.#listeners.get(topic);
    if (others === undefined) this.#listeners.set(topic, new Set([own]));
    else others.add(own);
    return () => {
      const left = this.#listeners.get(topic);
      if (left?.delete(own) === true && left.size === 0) this.#listeners.delete(topic);
    };
  }

  /** Calls whoever waits for the topic now. */
  tell(topic: string): void {
    for (const listener of [...(this.#listeners.get(topic) ?? [])]) listener();
  }
}
