/** `backstay leave`: ends this machine's membership in a server's fleet. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";

export const leaveCommand: CliCommand = {
  define(command) {
    command.addHelpText(
      "after",
      "\nThe server's policies end on this machine. Its own policies, and all backups, stay.",
    );
    addExamples(command, ["backstay leave"]);
  },

  async run({ environment, screen, globals, signal }) {
    try {
      await daemonClient(environment).leave(signal);
    } catch (error) {
      if (!isBackstayError(error, "DAEMON_UNREACHABLE")) throw error;
      const { leaveHere } = await import("./fleet-identity.ts");
      await leaveHere(environment);
    }
    if (globals.json) screen.line(JSON.stringify({ message_type: "left" }));
    else if (!globals.quiet) screen.line("this machine has left its fleet; its backups stay");
    return exitCodes.done;
  },
};
