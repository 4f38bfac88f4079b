/**
 * How many requests at once a storage bears that says "too many": half as many after each time it says so, one more after
 * as many in a row as were allowed at once have succeeded. Pure.
 *
 * It never rises above what the store likes: a backup holds that many packs in memory and no more, so that more requests
 * would have nothing to send.
 */
import { isBackstayError } from "../../protocol/backstay-error.ts";

export interface RequestPace {
  /** Requests that may be under way, from 1 to the most that was given. */
  readonly allowed: number;
  /** Counts the times it was lowered. A request remembers the round in which it began. */
  readonly round: number;
  /** Successes in a row since `allowed` has changed. */
  readonly successes: number;
}

/** At first as many as there may be. */
export function firstPace(most: number): RequestPace {
  return { allowed: most, round: 0, successes: 0 };
}

/** After a request that succeeded. */
export function afterSuccess(pace: RequestPace, most: number): RequestPace {
  if (pace.allowed >= most) return pace;
  const successes = pace.successes + 1;
  if (successes < pace.allowed) return { ...pace, successes };
  return { ...pace, allowed: pace.allowed + 1, successes: 0 };
}

/**
 * After a request that was throttled. Those that were under way together are refused together: only the first of a
 * round lowers the number.
 */
export function afterThrottling(pace: RequestPace, begunInRound: number): RequestPace {
  if (begunInRound !== pace.round) return pace;
  return { allowed: Math.max(1, pace.allowed >> 1), round: pace.round + 1, successes: 0 };
}

/** True if a storage says with this error that it gets too many requests. */
export function isThrottling(error: unknown): boolean {
  if (!isBackstayError(error, "STORE_UNAVAILABLE")) return false;
  const { status, retryAfterMs } = error.context;
  return status === 429 || status === 503 || retryAfterMs !== undefined;
}
