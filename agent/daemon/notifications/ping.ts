/** Pings as healthchecks.io and its like expect them: the address itself for a success, `/start` and `/fail` below it. */
import { post } from "./http-call.ts";
import type { Notice } from "./notice.ts";

/** One call for each notice, in order. */
export async function sendPings(
  url: string,
  notices: readonly Notice[],
  signal: AbortSignal,
): Promise<void> {
  for (const notice of notices) {
    const address = new URL(url);
    address.pathname = `${address.pathname.replace(/\/$/, "")}${ending(notice)}`;
    if (notice.session !== undefined) address.searchParams.set("rid", runId(notice.session));
    const headers = { "content-type": "text/plain; charset=utf-8", "user-agent": "backstay" };
    await post({ url: address.href, headers, body: `${notice.title}\n${notice.text}\n` }, signal);
  }
}

function ending({ event, level }: Notice): string {
  if (event === "start") return "/start";
  return level === "failure" ? "/fail" : "";
}

/** Ties start and end of a run together; receivers want it in the form of a UUID. */
function runId(session: string): string {
  const digits = session.padStart(32, "0").slice(-32);
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
  ];
  return [...parts, digits.slice(20)].join("-");
}
