/** `backstay secret remove`: forgets secrets of this machine. */
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";

export const secretRemoveCommand: CliCommand = {
  worksUnread: true,

  define(command) {
    command.argument("<names...>", "secrets to remove");
    addExamples(command, ["backstay secret remove storage-account"]);
    command.addHelpText("after", "\nPolicies that name one of them can't run any more.");
  },

  async run({ operands, environment, screen, globals }) {
    const keeper = await openSecretKeeper(stateDirectory(environment));
    const kept = await keeper.names();
    const names = [...new Set(operands)];
    // All or none, as far as that can be known before.
    const missing = names.find((name) => !kept.includes(name));
    if (missing !== undefined) throw new BackstayError("SECRET_MISSING", { name: missing });
    for (const name of names) {
      await keeper.remove(name);
      if (globals.json) screen.line(JSON.stringify({ message_type: "secret_removed", name }));
      else if (!globals.quiet) screen.line(`${name}: removed`);
    }
    return exitCodes.done;
  },
};
