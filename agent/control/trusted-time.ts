/**
 * The server's time as this machine knows it: its own clock, corrected by what answers of the server said, and never
 * before the last of them. A clock of the machine that is wrong or set back makes nothing valid again; the server's own
 * clock may be set back.
 */
import type { Clock } from "../../platform/ports/clock.ts";
import type { FactStore } from "../state/state.ts";

const fact = "trusted-time";
/** The floor is written no more often. */
const writeEveryMs = 3_600_000;

export interface TrustedTimeParts {
  readonly clock: Clock;
  readonly facts: FactStore;
  /** Server's clock minus ours, ms, as the link has measured it. */
  readonly offsetMs: () => number;
}

export class TrustedTime {
  readonly #parts: TrustedTimeParts;
  #floorMs: number;
  #writtenMs: number;

  constructor(parts: TrustedTimeParts) {
    this.#parts = parts;
    const known = parts.facts.get(fact);
    this.#floorMs = typeof known === "number" ? known : 0;
    this.#writtenMs = this.#floorMs;
  }

  /** Ms since 1970. */
  nowMs(): number {
    return Math.max(this.#floorMs, this.#parts.clock.now() + this.#parts.offsetMs());
  }

  /** To be called with the time of each good answer of the server: without another it is never earlier, restarts included. */
  heard(serverMs: number): void {
    this.#floorMs = serverMs;
    if (Math.abs(this.#floorMs - this.#writtenMs) < writeEveryMs) return;
    this.#writtenMs = this.#floorMs;
    this.#parts.facts.put(fact, this.#floorMs);
  }
}
