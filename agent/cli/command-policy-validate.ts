/** `backstay policy validate`: says what is wrong with policies, without touching this machine. */
import { addExamples, type CliCommand, exitCodes } from "./command.ts";
import {
  acceptedPolicies,
  type GivenPolicy,
  givenPolicies,
  refusalError,
  refusalJson,
} from "./policy-documents.ts";
import { printedMessage } from "./printed-text.ts";

export const policyValidateCommand: CliCommand = {
  define(command) {
    command.argument("<files...>", "files of policies, YAML or JSON; `-` is standard input");
    addExamples(command, [
      "backstay policy validate documents.yaml",
      "generate-policies | backstay policy validate --json -",
    ]);
  },

  run({ operands, screen, globals }) {
    const given = givenPolicies(operands);
    if (globals.json) {
      screen.line(JSON.stringify({ message_type: "policies", policies: given.map(json) }));
      const refused = given.find((policy) => policy.kind === "refused");
      if (refused?.kind === "refused") throw refusalError(refused);
    } else {
      acceptedPolicies(screen, given, false);
      if (!globals.quiet)
        for (const { name, file } of given)
          screen.line(printedMessage(`${file}: ${name ?? ""} is valid`));
    }
    return Promise.resolve(exitCodes.done);
  },
};

function json(policy: GivenPolicy): object {
  return {
    name: policy.name,
    file: policy.file,
    valid: policy.kind === "read",
    ...(policy.kind === "read" ? {} : refusalJson(policy.code, policy.mistakes)),
  };
}
