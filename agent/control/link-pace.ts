/**
 * When an agent calls its server next. Pure. Everything is drawn anew each time, so that what has happened to all
 * machines at one moment (an outage, a restart) spreads and leaves no echo.
 */
import { pollJitter } from "../../protocol/control/agent-api.ts";

/** From 0 to below 1, anew each time. */
export type Chance = () => number;

const startSpreadMs = 120_000;
const firstRetrySpreadMs = 120_000;
const retry = { baseMs: 30_000, capMs: 900_000 };
/** No answer can silence an agent for longer. */
const retryAfterMsMax = 3_600_000;
const pollSeconds = { least: 5, most: 86_400 };
const wakeAgainMs = { least: 900_000, most: 2_700_000 };

/** From the start of the daemon to its first poll, ms. A machine that was enrolled just now does not wait. */
export function firstPollDelayMs(isNewlyEnrolled: boolean, chance: Chance): number {
  return isNewlyEnrolled ? 0 : chance() * startSpreadMs;
}

/** From a good poll to the next, ms. `askedSeconds` is what the server wishes, within reason. */
export function pollDelayMs(askedSeconds: number, chance: Chance): number {
  const seconds = Math.min(Math.max(askedSeconds, pollSeconds.least), pollSeconds.most);
  return seconds * 1000 * (1 - pollJitter + 2 * pollJitter * chance());
}

/**
 * From a failure to the next attempt, ms. `failures` in a row, at least 1. What the server asks for (`retryAfterMs`)
 * is kept, and spread by half of it; a server that can ask is not away, so that not everybody comes back to it at once.
 */
export function retryDelayMs(
  failures: number,
  retryAfterMs: number | undefined,
  chance: Chance,
): number {
  const cappedMs = Math.min(retry.capMs, retry.baseMs * 2 ** Math.min(failures - 1, 30));
  // The spread comes after the cap: before it, it would be cut away with what is above.
  const isAway = retryAfterMs === undefined;
  const firstMs = failures === 1 && isAway ? firstRetrySpreadMs * chance() : 0;
  const ownMs = cappedMs * (0.5 + chance()) + firstMs;
  if (isAway) return ownMs;
  return Math.max(ownMs, Math.min(retryAfterMs, retryAfterMsMax) * (1 + chance() / 2));
}

/** How long an agent only polls after the server had no room for its wake request, ms. */
export function wakeOffMs(chance: Chance): number {
  return wakeAgainMs.least + (wakeAgainMs.most - wakeAgainMs.least) * chance();
}
