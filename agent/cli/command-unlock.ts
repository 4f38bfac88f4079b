/** `backstay unlock`: removes locks that ended sessions left behind. */
import { removeLocks } from "../repository/lock/lock-list.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { counted } from "./quantities.ts";
import { withRepository } from "./repository-session.ts";

interface UnlockOptions {
  readonly removeAll?: boolean;
}

export const unlockCommand: CliCommand<UnlockOptions> = {
  worksUnread: true,

  define(command) {
    command.option("--remove-all", "remove every lock, also those of sessions that still run");
    addExamples(command, ["backstay unlock"]);
  },

  async run(invocation) {
    const { options, screen, signal, globals } = invocation;
    const removed = await withRepository(invocation, { lock: "none" }, (repository) =>
      removeLocks(
        { store: repository.store, sealer: repository.sealer, version: repository.version },
        options.removeAll === true ? "all" : "stale",
        signal,
      ),
    );
    if (globals.json) screen.line(JSON.stringify({ message_type: "unlocked", removed }));
    else if (!globals.quiet) screen.line(`removed ${counted(removed, "lock")}`);
    return exitCodes.done;
  },
};
