/** `backstay secret list`: the names of the secrets that this machine keeps; their values are shown nowhere. */
import { openSecretKeeper } from "../../platform/open-secret-keeper.ts";
import { stateDirectory } from "../../platform/standard-paths.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";

export const secretListCommand: CliCommand = {
  define(command) {
    addExamples(command, ["backstay secret list"]);
  },

  async run({ environment, screen, globals }) {
    const keeper = await openSecretKeeper(stateDirectory(environment));
    const names = await keeper.names();
    const { protection, machineBound } = keeper;
    if (globals.json)
      screen.line(JSON.stringify({ names, protection, machine_bound: machineBound }));
    else if (names.length === 0 && !globals.quiet) screen.note("this machine keeps no secrets");
    else for (const name of names) screen.line(name);
    return exitCodes.done;
  },
};
