/** `backstay policy remove`: ends policies on this machine; what they backed up stays where it is. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { policiesBefore } from "../policy/policy-order.ts";
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import { reloadDaemon } from "./daemon-reload.ts";
import { openPolicyPlace } from "./policy-place.ts";

export const policyRemoveCommand: CliCommand = {
  worksUnread: true,

  define(command) {
    command.argument("<names...>", "policies to remove");
    addExamples(command, ["backstay policy remove documents"]);
    command.addHelpText("after", "\nBackups stay in the repository.");
  },

  async run({ operands, screen, globals, environment, signal }) {
    const { folder, loaded } = await openPolicyPlace(environment);
    const names = [...new Set(operands)];
    const known = (name: string): boolean =>
      loaded.policies.has(name) || loaded.problems.some(({ file }) => file === folder.fileOf(name));
    for (const name of names)
      if (!known(name)) throw new BackstayError("POLICY_UNKNOWN", { policy: name });
    for (const { name, policy } of loaded.policies.values()) {
      const before = policiesBefore(policy).find((each) => names.includes(each));
      if (before !== undefined && !names.includes(name))
        throw new BackstayError("POLICY_NEEDED", { policy: before, "needed by": name });
    }
    for (const name of names) {
      await folder.remove(name);
      if (globals.json) screen.line(JSON.stringify({ message_type: "policy_removed", name }));
      else if (!globals.quiet) screen.line(`${name}: removed; its backups stay`);
    }
    await reloadDaemon(environment, signal);
    return exitCodes.done;
  },
};
