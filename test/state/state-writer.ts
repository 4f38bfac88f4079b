/**
 * A process that writes to a state until it is killed. Its argument is the state's folder. After each write that has
 * returned it prints the id of the session, and the state in which it was put.
 */
import { writeSync } from "node:fs";
import { openState } from "../../agent/state/open-state.ts";
import { sessionStates } from "../../protocol/session-record.ts";
import { sampleSession } from "./state-samples.ts";

const state = openState({
  folder: process.argv[2] ?? "",
  nowMs: () => Date.now(),
  onTrouble: (trouble) => {
    throw trouble;
  },
});
for (;;) {
  const session = sampleSession();
  for (const step of sessionStates) {
    state.sessions.put({ ...session, state: step });
    // At once: what is told is what must be there.
    writeSync(1, `${session.id} ${step}\n`);
    state.sessions.addIssues(session.id, [{ path: step, code: "X", message: "m".repeat(300) }]);
  }
}
