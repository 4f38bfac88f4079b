/** `backstay stop POLICY`: asks the daemon to end a policy's run. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";

export const stopCommand: CliCommand = {
  worksUnread: true,

  define(command) {
    command.argument("<policy>", "name of the policy");
    addExamples(command, ["backstay stop etc"]);
    command.addHelpText("after", "\nWhat had arrived in the repository counts for the next run.");
  },

  async run({ operands, environment, screen, globals, signal }) {
    const [policy] = operands;
    const { sessionIds } = await daemonClient(environment).stop(policy, signal);
    if (globals.json)
      screen.line(JSON.stringify({ message_type: "stopped", session_ids: sessionIds }));
    else if (sessionIds.length === 0) screen.line(`${policy} neither runs nor waits`);
    else for (const id of sessionIds) screen.line(`session ${id} of ${policy} is being ended`);
    return exitCodes.done;
  },
};
