/** `backstay resume`: ends what `pause` began. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { counted } from "./quantities.ts";

interface ResumeOptions {
  readonly policy?: string;
}

export const resumeCommand: CliCommand<ResumeOptions> = {
  worksUnread: true,

  define(command) {
    command.option("--policy <name>", "only the pause of this policy; every pause if absent");
    addExamples(command, ["backstay resume"]);
  },

  async run({ options, environment, screen, globals, signal }) {
    const { ended } = await daemonClient(environment).resume(options.policy, signal);
    if (globals.json) screen.line(JSON.stringify({ message_type: "resumed", ended }));
    else if (!globals.quiet)
      screen.line(ended === 0 ? "nothing was paused" : `${counted(ended, "pause")} ended`);
    return exitCodes.done;
  },
};
