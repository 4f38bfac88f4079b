/** Sessions in the daemon's log. */
import type { SessionRecord } from "../../protocol/session-record.ts";
import type { DaemonLog } from "./log/daemon-log.ts";

const levels = {
  success: "info",
  canceled: "info",
  warning: "warning",
  failure: "error",
  interrupted: "error",
} as const;

/** A line for each step that people may ask about later. */
export function logSession(log: DaemonLog, session: SessionRecord): void {
  const { id, policy, state, cause, repository, outcome, failure, startedMs, finishedMs } = session;
  const { location, locationBefore } = session;
  const fields = { policy, session: id };
  if (state === "queued") log.debug(`A session waits: ${cause.text}.`, fields);
  if (state === "preparing")
    log.info(`A session begins: ${cause.text}.`, { ...fields, repository });
  if (state === "running")
    log.debug("Its engine works.", { ...fields, processId: session.engine?.processId ?? 0 });
  if (state !== "finished" || outcome === undefined) return;
  if (locationBefore !== undefined)
    log.warning("The session went another way than the policy's session before.", {
      ...fields,
      repository: location ?? "",
      problem: `the one before went to ${locationBefore}`,
    });
  log[levels[outcome]](`A session has ended: ${outcome}.`, {
    ...fields,
    outcome,
    ...(location !== undefined && { repository: location }),
    ...(failure !== undefined && { code: failure.code, problem: failure.message }),
    ...(session.issues > 0 && { count: session.issues }),
    ...(startedMs !== undefined &&
      finishedMs !== undefined && { durationMs: finishedMs - startedMs }),
  });
}
