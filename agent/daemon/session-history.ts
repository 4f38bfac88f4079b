/** What the sessions of each policy come to, kept at hand: status is asked for often, and sessions end seldom. */
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { SessionStore } from "../state/state.ts";

export interface PolicyHistory {
  readonly lastGood?: SessionRecord;
  readonly lastEnded?: SessionRecord;
  /** Sessions that failed since the last good one. */
  readonly failuresSinceGood: number;
  /** As the last session saw it; absent if none got so far. */
  readonly reachable?: boolean;
}

/** More failures than this are all the same to people. */
const failuresMax = 1000;
/** The repository's place could not be used: codes of the error catalogue. */
const unreachableCodes: ReadonlySet<string> = new Set([
  "STORE_UNAVAILABLE",
  "STORE_MISSING",
  "STORE_DENIED",
]);
const failedOutcomes: readonly unknown[] = ["failure", "interrupted"];

export class SessionHistory {
  readonly #store: SessionStore;
  readonly #known = new Map<string, PolicyHistory>();

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** To be told of each change of a session. */
  changed({ policy, state }: SessionRecord): void {
    if (state === "finished") this.#known.delete(policy);
  }

  of(policy: string): PolicyHistory {
    const known = this.#known.get(policy);
    if (known !== undefined) return known;
    const history = this.#read(policy);
    this.#known.set(policy, history);
    return history;
  }

  #read(policy: string): PolicyHistory {
    const lastGood = this.#store.lastGood(policy);
    const ended = this.#store.list({ policy, states: ["finished"], limit: failuresMax });
    const [lastEnded] = ended;
    const good = ended.findIndex(({ id }) => id === lastGood?.id);
    const sinceGood = good < 0 ? ended : ended.slice(0, good);
    const failures = sinceGood.filter(({ outcome }) => failedOutcomes.includes(outcome));
    const reachable = lastEnded === undefined ? undefined : reachability(lastEnded);
    return {
      ...(lastGood !== undefined && { lastGood }),
      ...(lastEnded !== undefined && { lastEnded }),
      failuresSinceGood: failures.length,
      ...(reachable !== undefined && { reachable }),
    };
  }
}

/** What an ended session says about its target; undefined if it says nothing. */
function reachability({ failure, figures }: SessionRecord): boolean | undefined {
  if (figures !== undefined) return true;
  return failure !== undefined && unreachableCodes.has(failure.code) ? false : undefined;
}
