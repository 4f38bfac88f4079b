/** When the machine is woken from sleep for a run: told to the system only if it has changed. */
import type { Power } from "../../platform/ports/power.ts";

export class MachineWake {
  readonly #power: Pick<Power, "setWake">;
  readonly #onFailure: (error: unknown) => void;
  #atMs: number | undefined;

  constructor(power: Pick<Power, "setWake">, onFailure: (error: unknown) => void) {
    this.#power = power;
    this.#onFailure = onFailure;
  }

  /** Ms since 1970; undefined: not at all. */
  set(atMs: number | undefined): void {
    if (atMs === this.#atMs) return;
    this.#atMs = atMs;
    this.#power.setWake(atMs).catch(this.#onFailure);
  }

  async stop(): Promise<void> {
    await this.#power.setWake(undefined).catch(() => undefined);
  }
}
