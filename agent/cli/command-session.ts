/** `backstay session ID`: one session, with each of its warnings. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { sessionLines } from "./session-text.ts";

export const sessionCommand: CliCommand = {
  define(command) {
    command.argument("<id>", "id of the session, as `sessions` lists it");
    addExamples(command, ["backstay session 0f3a9c1b2d4e5f60"]);
  },

  async run({ operands, environment, screen, globals, signal }) {
    const detail = await daemonClient(environment).session(operands[0], signal);
    if (globals.json) screen.line(JSON.stringify(detail));
    else for (const line of sessionLines(detail)) screen.line(line);
    return exitCodes.done;
  },
};
