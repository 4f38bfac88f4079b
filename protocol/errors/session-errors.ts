/** Failures by code: the agent's state and its sessions. */
import type { ErrorSpec } from "./error-spec.ts";

export const sessionErrors = {
  QUEUE_FULL: {
    kind: "temporary",
    exitCode: 1,
    title: "So many sessions wait already that no more are taken.",
    remedy: "Look with `backstay status` at what they wait for.",
  },
  SHUTTING_DOWN: {
    kind: "temporary",
    exitCode: 1,
    title: "The daemon is ending and starts nothing more.",
    remedy: "Try again when it has started again.",
  },
  SESSION_NOT_FOUND: {
    kind: "permanent",
    exitCode: 1,
    title: "There is no such session, or no more.",
    remedy: "Run `backstay sessions` to see which there are.",
  },
  SESSION_INTERRUPTED: {
    kind: "temporary",
    exitCode: 1,
    title: "The session was interrupted because the daemon or the machine went away.",
    remedy: "Nothing needs doing: the next run goes on where this one was.",
  },
  SESSION_TOO_LONG: {
    kind: "permanent",
    exitCode: 1,
    title: "The session took longer than its policy allows and was ended.",
    remedy:
      "What had arrived counts: run it again. If it is always too slow, raise the policy's `limits.duration`.",
  },
  RESTORE_RESTRICTED: {
    kind: "permanent",
    exitCode: 1,
    title: "This machine does not allow that restore.",
    remedy:
      "Restore into another folder, or change `guardRails` in the agent's configuration file. `backstay restore --repo` is bound by the rights of its user only.",
  },
  SCRIPT_FAILED: {
    kind: "permanent",
    exitCode: 1,
    title: "A script of the policy did not succeed.",
    remedy: "See what it printed with `backstay session`, and run it by hand.",
  },
  ENGINE_UNSTARTABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "The process that does the work could not be started.",
    remedy:
      "Check the machine's memory and number of processes; install Backstay again if it lacks files.",
  },
  ENGINE_DIED: {
    kind: "temporary",
    exitCode: 1,
    title: "The process that did the work ended without a report.",
    remedy:
      "The next run goes on where it was. With SIGKILL it was ended from outside, mostly for lack of memory; otherwise its last words say more.",
  },
  ENGINE_HUNG: {
    kind: "temporary",
    exitCode: 1,
    title: "The process that did the work gave no sign of life and was ended.",
    remedy: "The next run goes on where it was. If it happens again, report it.",
  },
  ENGINE_STALLED: {
    kind: "temporary",
    exitCode: 1,
    title: "The session made no progress for too long and was ended.",
    remedy:
      "Check the connection to the storage, and file systems of the source that do not answer.",
  },
  ENGINE_MEMORY: {
    kind: "permanent",
    exitCode: 1,
    title: "The process that did the work took more memory than its policy allows and was ended.",
    remedy: "Raise the policy's `limits.memory`, or split its source over several policies.",
  },
  RUN_ORDER_INVALID: {
    kind: "bug",
    exitCode: 1,
    title: "The engine was given an order that it does not understand.",
    remedy: "Restart the daemon: it may be of another version. If that does not help, report it.",
  },
  STATE_DAMAGED: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database is damaged.",
    remedy:
      "It was set aside and made anew; backups go on, the history of sessions begins again. Check the health of the disk.",
  },
  STATE_NEWER: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database was made by a newer version.",
    remedy:
      "It was set aside and made anew; backups go on. Install the newer version to see the earlier sessions again.",
  },
  STATE_FULL: {
    kind: "temporary",
    exitCode: 1,
    title: "The disk of the agent's database is full.",
    remedy: "Free space there. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_READ_ONLY: {
    kind: "permanent",
    exitCode: 1,
    title: "The agent's database can't be written.",
    remedy:
      "Check that its folder exists, belongs to the agent's account and is not mounted read-only. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_BROKEN: {
    kind: "permanent",
    exitCode: 1,
    title: "The disk of the agent's database reported an error.",
    remedy:
      "Check the health of the disk and the system's log. Until then the agent works from memory, and forgets if it ends.",
  },
  STATE_BUSY: {
    kind: "temporary",
    exitCode: 1,
    title: "Another program keeps the agent's database locked.",
    remedy:
      "End the program that has it open. Until then the agent works from memory, and forgets if it ends.",
  },
} as const satisfies Record<string, ErrorSpec>;
