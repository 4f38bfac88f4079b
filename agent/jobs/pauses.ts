/** The pauses that somebody asked for. Kept in the state, so that a restart does not end them. */
import type { FactStore } from "../state/state.ts";
import type { PolicyPause } from "./jobs.ts";

const fact = "pauses";

export class Pauses {
  readonly #facts: FactStore;
  readonly #now: () => number;
  #pauses: readonly PolicyPause[];

  /** `now` is the wall clock, ms. */
  constructor(facts: FactStore, now: () => number) {
    this.#facts = facts;
    this.#now = now;
    this.#pauses = (facts.get(fact) as readonly PolicyPause[] | undefined) ?? [];
  }

  /** Those that last, the one of all policies first. */
  all(): readonly PolicyPause[] {
    const left = this.#pauses.filter(
      ({ untilMs }) => untilMs === undefined || untilMs > this.#now(),
    );
    if (left.length < this.#pauses.length) this.#put(left);
    return left;
  }

  /** The pause that holds a policy, the longest one if there are two. */
  of(policy: string): PolicyPause | undefined {
    return this.all()
      .filter((pause) => pause.policy === undefined || pause.policy === policy)
      .toSorted((a, b) => (b.untilMs ?? Infinity) - (a.untilMs ?? Infinity))[0];
  }

  /** Replaces the pause of the same policy. */
  add(pause: Omit<PolicyPause, "sinceMs">): PolicyPause {
    const added = { ...pause, sinceMs: this.#now() };
    const others = this.all().filter(({ policy }) => policy !== pause.policy);
    this.#put(pause.policy === undefined ? [added, ...others] : [...others, added]);
    return added;
  }

  /** Ends the pause of a policy, or all; the number that ended. */
  end(policy?: string): number {
    const before = this.all();
    const left = policy === undefined ? [] : before.filter((pause) => pause.policy !== policy);
    if (left.length < before.length) this.#put(left);
    return before.length - left.length;
  }

  #put(pauses: readonly PolicyPause[]): void {
    this.#pauses = pauses;
    this.#facts.put(fact, pauses);
  }
}
