/** `backstay sync`: fetches the newest policies of the server now, and sends what waits for it. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";

export const syncCommand: CliCommand = {
  define(command) {
    addExamples(command, ["backstay sync"]);
  },

  async run({ environment, screen, globals, signal }) {
    const client = daemonClient(environment);
    await client.sync(signal);
    const { server } = (await client.status(signal)).agent;
    if (globals.json) screen.line(JSON.stringify({ message_type: "sync", ...server }));
    else if (!globals.quiet)
      screen.line(
        server?.serial === undefined
          ? "the server was asked; it has no policies for this machine yet"
          : `the policies in force are the server's newest (${server.serial})`,
      );
    return exitCodes.done;
  },
};
