/** `backstay unlock`: removes locks that ended sessions left behind, and files that they had not completed. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { ObjectStore } from "../../storage/object-store.ts";
import { removeLocks } from "../repository/lock/lock-list.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { counted, unlessZero } from "./quantities.ts";
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
    const { removed, left, swept } = await withRepository(
      invocation,
      { lock: "none" },
      async ({ store, sealer, version }) => ({
        ...(await removeLocks(
          { store, sealer, version },
          options.removeAll === true ? "all" : "stale",
          signal,
        )),
        swept: await sweep(store, signal),
      }),
    );
    if (globals.json)
      screen.line(
        JSON.stringify({
          message_type: "unlocked",
          removed,
          left: unlessZero(left),
          partial_files: unlessZero(swept),
        }),
      );
    else if (!globals.quiet) {
      screen.line(`removed ${counted(removed, "lock")}`);
      if (left > 0)
        screen.line(`left ${counted(left, "lock")} that may be in use; --remove-all removes all`);
      if (swept > 0) screen.line(`removed ${counted(swept, "file")} of interrupted uploads`);
    }
    return exitCodes.done;
  },
};

/** Files of saves that were cut off, a day old or more. An account that may remove locks only leaves them there. */
async function sweep(store: ObjectStore, signal: AbortSignal): Promise<number> {
  try {
    return await store.sweep(signal);
  } catch (error) {
    if (!isBackstayError(error, "STORE_DENIED")) throw error;
    return 0;
  }
}
