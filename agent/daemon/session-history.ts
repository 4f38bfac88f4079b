/** What the sessions of each policy come to, kept at hand: status is asked for often, and sessions end seldom. */
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { Jobs } from "../jobs/jobs.ts";

export interface PolicyHistory {
  readonly lastGood?: SessionRecord;
  readonly lastEnded?: SessionRecord;
  /** Sessions that failed since the last good one. */
  readonly failuresSinceGood: number;
  /** The repository's place, as the last session found it; absent if it did not get so far. */
  readonly reachable?: boolean;
}

/** The repository's place could not be used. */
const unreachableCodes: ReadonlySet<string> = new Set([
  "STORE_UNAVAILABLE",
  "STORE_MISSING",
  "STORE_DENIED",
]);

export class SessionHistory {
  readonly #jobs: Pick<Jobs, "sessions" | "lastGood" | "failuresSinceGood">;
  readonly #known = new Map<string, PolicyHistory>();

  constructor(jobs: Pick<Jobs, "sessions" | "lastGood" | "failuresSinceGood">) {
    this.#jobs = jobs;
  }

  /** To be told of each change of a session. */
  changed({ policy, state }: SessionRecord): void {
    if (state === "finished") this.#known.delete(policy);
  }

  /** The latest moment that any session noted down, ms since 1970. */
  latestKnownMs(): number | undefined {
    const [latest] = this.#jobs.sessions({ limit: 1 });
    return latest === undefined ? undefined : (latest.finishedMs ?? latest.queuedMs);
  }

  of(policy: string): PolicyHistory {
    const known = this.#known.get(policy);
    if (known !== undefined) return known;
    const [lastEnded] = this.#jobs.sessions({
      policy,
      kinds: ["backup"],
      states: ["finished"],
      limit: 1,
    });
    const lastGood = this.#jobs.lastGood(policy);
    const reachable = lastEnded === undefined ? undefined : reachability(lastEnded);
    const history: PolicyHistory = {
      ...(lastGood !== undefined && { lastGood }),
      ...(lastEnded !== undefined && { lastEnded }),
      failuresSinceGood: this.#jobs.failuresSinceGood(policy),
      ...(reachable !== undefined && { reachable }),
    };
    this.#known.set(policy, history);
    return history;
  }
}

/** What an ended session says about its target; undefined if it says nothing. */
function reachability({ failure, figures }: SessionRecord): boolean | undefined {
  if (figures !== undefined) return true;
  return failure !== undefined && unreachableCodes.has(failure.code) ? false : undefined;
}
