/** Waits for one of several things to happen, within a time. */

export type Ring = "commands" | "bundle" | "turn" | "replaced";

const byUrgency: readonly Ring[] = ["replaced", "commands", "turn", "bundle"];

export class Bell {
  readonly #rung = new Set<Ring>();
  readonly #ended: AbortSignal;
  #changed: () => void = () => undefined;
  readonly #onEnd = (): void => this.#changed();

  /** `ended`: nothing is waited for any more. */
  constructor(ended: AbortSignal) {
    this.#ended = ended;
    ended.addEventListener("abort", this.#onEnd, { once: true });
  }

  ring(what: Ring): void {
    this.#rung.add(what);
    this.#changed();
  }

  get hasEnded(): boolean {
    return this.#ended.aborted;
  }

  /** What was rung, and is no more: waits for it so long. Undefined if it was not, or all has ended. */
  async heard(waitMs: number): Promise<Ring | undefined> {
    const found = (): Ring | undefined => byUrgency.find((each) => this.#rung.has(each));
    if (found() === undefined && !this.#ended.aborted && waitMs > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      this.#changed = () => {
        if (found() !== undefined || this.#ended.aborted) resolve();
      };
      await promise;
      clearTimeout(timer);
      this.#changed = () => undefined;
    }
    if (this.#ended.aborted) return undefined;
    const ring = found();
    if (ring !== undefined) this.#rung.delete(ring);
    return ring;
  }

  /** Forgets everything. */
  end(): void {
    this.#ended.removeEventListener("abort", this.#onEnd);
  }
}
