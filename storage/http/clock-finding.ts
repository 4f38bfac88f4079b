/** Whether the clock of a server agrees with ours: signatures and locks of objects are made with the time. */
import type { PlaceFinding } from "../place-finding.ts";
import { type HttpPlace, openDispatcher } from "./http-transport.ts";

const check = "clock";
const goodMs = 60_000;
/** What servers refuse signatures beyond. */
const badMs = 15 * 60_000;

/** What the server says the time is, in an answer to nobody in particular. `now`: ours, ms since 1970. */
export async function clockFinding(
  place: HttpPlace,
  now: () => number,
  signal: AbortSignal,
): Promise<PlaceFinding> {
  const saidMs = await serverTime(place, signal).catch(() => undefined);
  signal.throwIfAborted();
  if (saidMs === undefined)
    return {
      check,
      verdict: "unknown",
      found: "The server does not say what time it has.",
      remedy: "See to it that the clocks of this machine and of the server are set by the network.",
    };
  const seconds = Math.round(Math.abs(now() - saidMs) / 1000);
  if (seconds * 1000 <= goodMs)
    return { check, verdict: "good", found: `Its clock and ours differ by ${seconds} s.` };
  return {
    check,
    verdict: seconds * 1000 > badMs ? "bad" : "warning",
    found: `Its clock and ours differ by ${seconds} s.`,
    remedy: "Have the clock of this machine, or of the server, set by the network (NTP).",
  };
}

/** Ms since 1970; undefined if it does not say. */
async function serverTime(place: HttpPlace, signal: AbortSignal): Promise<number | undefined> {
  const dispatcher = await openDispatcher(place);
  try {
    const { headers, body } = await dispatcher.request({
      origin: place.origin,
      path: "/",
      method: "HEAD",
      signal,
    });
    await body.dump();
    const saidMs = Date.parse(String(headers["date"] ?? ""));
    return Number.isNaN(saidMs) ? undefined : saidMs;
  } finally {
    await dispatcher.destroy();
  }
}
