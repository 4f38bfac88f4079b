/** `backstay sessions`: what ran, newest first; with an id it is `backstay session`. */
import { InvalidArgumentError } from "commander";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { sessionCommand } from "./command-session.ts";
import { daemonClient } from "./daemon-connection.ts";
import { sessionTable } from "./session-text.ts";

interface SessionsOptions {
  readonly policy?: string;
  readonly limit: number;
}

export const sessionsCommand: CliCommand<SessionsOptions> = {
  define(command) {
    command
      .argument("[id]", "one session, as `backstay session` shows it")
      .option("--policy <name>", "only those of this policy")
      .option("-n, --limit <n>", "at most so many, 1 to 1000 (20)", limit, 20);
    addExamples(command, ["backstay sessions", "backstay sessions --policy etc --limit 5"]);
  },

  async run(invocation) {
    const { operands, options, environment, screen, globals, signal } = invocation;
    if (operands.length > 0) return await sessionCommand.run(invocation);
    const { policy, limit: most } = options;
    const filter = { limit: most, ...(policy === undefined ? {} : { policy }) };
    const sessions = await daemonClient(environment).sessions(filter, signal);
    if (globals.json) screen.line(JSON.stringify(sessions));
    else if (sessions.length === 0) screen.line("no session yet");
    else for (const line of sessionTable(sessions)) screen.line(line);
    return exitCodes.done;
  },
};

function limit(text: string): number {
  const value = Number(text);
  if (!/^\d{1,4}$/.test(text) || value < 1 || value > 1000)
    throw new InvalidArgumentError("Give a whole number from 1 to 1000.");
  return value;
}
