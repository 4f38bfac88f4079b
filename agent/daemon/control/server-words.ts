/** What a finished session means to the command that asked for it. Pure. */
import type { SessionRecord } from "../../../protocol/session-record.ts";
import type { CommandResult } from "../../control/command-executor.ts";

const states = {
  success: "succeeded",
  warning: "succeeded",
  failure: "failed",
  interrupted: "failed",
  canceled: "canceled",
} as const;

export function resultOf(session: SessionRecord): CommandResult {
  const { outcome = "interrupted", failure, endedBy, id, restored, checked, figures } = session;
  const why = failure?.message ?? endedBy?.text;
  const found = [
    figures?.snapshotId === undefined ? "" : `snapshot ${figures.snapshotId.slice(0, 8)}`,
    restored === undefined ? "" : `${restored.entriesRestored} entries restored`,
    checked === undefined ? "" : `${checked.problems} problems found`,
  ].filter((text) => text !== "");
  return {
    state: states[outcome],
    text: [`The ${session.kind} ended: ${outcome}`, ...found, ...(why === undefined ? [] : [why])]
      .join("; ")
      .slice(0, 2000),
    sessionId: id,
    ...(failure !== undefined && { errorCode: failure.code }),
  };
}
