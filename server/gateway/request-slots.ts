/** How many requests are worked on at once: by each machine, so that none takes all, and altogether. */
import { refusal } from "./gateway-problems.ts";

export interface SlotLimits {
  readonly perMachine: number;
  readonly altogether: number;
}

/** More than any client opens by itself. */
export const usualSlotLimits: SlotLimits = { perMachine: 48, altogether: 512 };

const waitSeconds = { least: 2, spread: 8 };

export class RequestSlots {
  readonly #limits: SlotLimits;
  readonly #used = new Map<string, number>();
  #all = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get underWay(): number {
    return this.#all;
  }

  /** Takes a slot; returns how to give it back. Throws the Problem to answer with if there is none. */
  enter(machine: string): () => void {
    const mine = this.#used.get(machine) ?? 0;
    if (mine >= this.#limits.perMachine || this.#all >= this.#limits.altogether) {
      const seconds = waitSeconds.least + Math.floor(Math.random() * waitSeconds.spread);
      throw refusal("gateway-busy", undefined, { "retry-after": String(seconds) });
    }
    this.#used.set(machine, mine + 1);
    this.#all += 1;
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#all -= 1;
      const left = (this.#used.get(machine) ?? 1) - 1;
      if (left === 0) this.#used.delete(machine);
      else this.#used.set(machine, left);
    };
  }
}
