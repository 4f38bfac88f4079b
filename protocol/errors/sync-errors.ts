/** Failures by code: commands of the management server and what becomes of them. */
import type { ErrorSpec } from "./error-spec.ts";

export const syncErrors = {
  COMMAND_STOPPED: {
    kind: "temporary",
    exitCode: 1,
    title: "A command of the server was stopped by another one.",
    remedy: "Give it again if it is still wanted.",
  },
  COMMAND_INTERRUPTED: {
    kind: "temporary",
    exitCode: 1,
    title:
      "The daemon or the machine ended while it worked on a command; whether it was done is not known.",
    remedy: "Look at the machine's sessions, then give the command again if it is still wanted.",
  },
  COMMAND_FORGOTTEN: {
    kind: "temporary",
    exitCode: 1,
    title:
      "The machine has no memory of a command that it had taken: its state was lost or set back.",
    remedy: "Look at the machine's sessions, then give the command again if it is still wanted.",
  },
} as const satisfies Record<string, ErrorSpec>;
