/** `backstay policy export`: prints policies as they were written, for another machine or for safe keeping. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { openPolicyPlace, storedPolicy } from "./policy-place.ts";

export const policyExportCommand: CliCommand = {
  define(command) {
    command.argument("[names...]", "policies to print; all if none is named");
    addExamples(command, [
      "backstay policy export > policies.yaml",
      "backstay policy export documents | ssh other backstay policy apply -",
    ]);
  },

  async run({ operands, screen, globals, environment }) {
    const place = await openPolicyPlace(environment);
    const names = operands.length > 0 ? operands : [...place.loaded.policies.keys()];
    const policies = [...new Set(names)].map((name) => storedPolicy(place, name));
    if (globals.json) {
      screen.line(JSON.stringify(policies.map(({ document }) => document)));
      return exitCodes.done;
    }
    for (const [index, { text }] of policies.entries()) {
      // Directives may stand only behind the end of a document.
      if (index > 0 && !text.startsWith("---")) screen.line(text.startsWith("%") ? "..." : "---");
      screen.print(text.endsWith("\n") ? text : `${text}\n`);
    }
    return exitCodes.done;
  },
};
