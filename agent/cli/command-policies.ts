/** `backstay policies`: the policies that the daemon has in force, and what it could not use. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { daemonClient } from "./daemon-connection.ts";
import { printedMessage } from "./printed-text.ts";
import { tableLines } from "./text-table.ts";

export const policiesCommand: CliCommand = {
  define(command) {
    addExamples(command, ["backstay policies"]);
    command.addHelpText("after", "\nExit code 1 if a policy could not be used.");
  },

  async run({ environment, screen, globals, signal }) {
    const list = await daemonClient(environment).policies(signal);
    const { policies, problems } = list;
    const exitCode = problems.length > 0 ? exitCodes.failed : exitCodes.done;
    if (globals.json) {
      screen.line(JSON.stringify(list));
      return exitCode;
    }
    const rows = policies.map(({ name, kind, enabled, source, destination, schedule, origin }) =>
      [name, enabled ? kind : `${kind}, off`, source, destination, schedule, origin].map((text) => [
        printedMessage(text),
      ]),
    );
    const titles = ["Name", "Kind", "What", "Where to", "When", "From"];
    if (rows.length === 0) screen.line("no policy is in force");
    else
      for (const line of tableLines(
        titles.map((title) => ({ title })),
        rows,
      ))
        screen.line(line);
    for (const { origin, text } of problems)
      screen.note(`error: ${printedMessage(origin)}: ${printedMessage(text)}`);
    return exitCode;
  },
};
