/** Failures by code: daemon and local API. */
import type { ErrorSpec } from "./error-spec.ts";

export const daemonErrors = {
  DAEMON_UNREACHABLE: {
    kind: "temporary",
    exitCode: 1,
    title: "No daemon of Backstay answers on this machine.",
    remedy:
      "Start it with `systemctl start backstayd` (or by hand: `backstayd`) and see its log. Commands with `--repo` work without it.",
  },
  DAEMON_RUNNING: {
    kind: "permanent",
    exitCode: 1,
    title: "Another daemon runs already in the same place.",
    remedy:
      "Nothing was changed. End the other one first, or give this one a place of its own with BACKSTAY_HOME.",
  },
  DAEMON_DENIED: {
    kind: "permanent",
    exitCode: 1,
    title: "This user may see the status of the daemon, and nothing else of it.",
    remedy: "Run the command as root, or as the user that the daemon runs as.",
  },
  DAEMON_BUSY: {
    kind: "temporary",
    exitCode: 1,
    title: "The daemon did not get to this request in time.",
    remedy: "Try again. If it stays so, see the daemon's log.",
  },
  DAEMON_REQUEST: {
    kind: "permanent",
    exitCode: 1,
    title: "The daemon does not understand this request.",
    remedy:
      "Command and daemon may be of different versions: restart the daemon after an update. See docs/local-api.md for what it takes.",
  },
  DAEMON_ANSWER: {
    kind: "permanent",
    exitCode: 1,
    title: "What answered is not a daemon that this command understands.",
    remedy: "Restart the daemon after an update, so that both are of the same version.",
  },
  DAEMON_LOST: {
    kind: "temporary",
    exitCode: 1,
    title: "The connection to the daemon broke off.",
    remedy:
      "See `backstay status` and the daemon's log. A session that was running is recorded once the daemon is back.",
  },
  DAEMON_PLACE: {
    kind: "permanent",
    exitCode: 1,
    title: "The place of the daemon's socket can't be used.",
    remedy: "Correct what is named here, or choose another place with BACKSTAY_HOME.",
  },
  POLICY_UNKNOWN: {
    kind: "permanent",
    exitCode: 1,
    title: "There is no policy of this name.",
    remedy:
      "Run `backstay policies` to see which are in force, or `backstay policy show` without the daemon.",
  },
  OUTPUT_UNWRITABLE: {
    kind: "permanent",
    exitCode: 1,
    title: "The file to write could not be made.",
    remedy: "Give the name of a file that does not exist, in a folder that this user may write.",
  },
} as const satisfies Record<string, ErrorSpec>;
