/** The states of a session and how it may go from one to the next. Everything that is not in the table is refused. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { SessionState } from "../../protocol/session-record.ts";

const nextStates: Readonly<Record<SessionState, readonly SessionState[]>> = {
  // Its turn has come; or it was taken out of the queue.
  queued: ["preparing", "finished"],
  // The engine begins; or there is nothing for it to do, because scripts or preparations failed.
  preparing: ["running", "ending"],
  // The engine has ended, or is gone.
  running: ["ending"],
  // What comes after the engine is done.
  ending: ["finished"],
  finished: [],
};

/** INTERNAL if a session may not go from one state to the other. */
export function assertTransition(from: SessionState, to: SessionState): void {
  if (!nextStates[from].includes(to))
    throw new BackstayError("INTERNAL", { problem: `a session can't go from ${from} to ${to}` });
}
