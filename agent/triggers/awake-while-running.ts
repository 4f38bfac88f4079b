/** Keeps the machine awake as long as a session runs. */
import type { Power } from "../../platform/ports/power.ts";

export class AwakeWhileRunning {
  readonly #power: Pick<Power, "keepAwake">;
  readonly #onFailure: (error: unknown) => void;
  #isWanted = false;
  #release: (() => Promise<void>) | undefined;
  #work: Promise<void> = Promise.resolve();

  /** A system that refuses is told to `onFailure`; runs go on all the same. */
  constructor(power: Pick<Power, "keepAwake">, onFailure: (error: unknown) => void) {
    this.#power = power;
    this.#onFailure = onFailure;
  }

  /** To be told after each change of the sessions whether one runs now. */
  set(isRunning: boolean): void {
    if (this.#isWanted === isRunning) return;
    this.#isWanted = isRunning;
    this.#work = this.#work.then(() => this.#apply()).catch(this.#onFailure);
  }

  /** Lets the machine sleep; resolves when it may. */
  async stop(): Promise<void> {
    this.set(false);
    await this.#work;
  }

  async #apply(): Promise<void> {
    if (this.#isWanted && this.#release === undefined)
      this.#release = await this.#power.keepAwake("a backup is running");
    else if (!this.#isWanted && this.#release !== undefined) {
      const release = this.#release;
      this.#release = undefined;
      await release();
    }
  }
}
