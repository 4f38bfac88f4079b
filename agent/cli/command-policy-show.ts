/** `backstay policy show`: the policies of this machine, or what one of them says and means. */

import { scheduleInWords } from "../../protocol/schedule/schedule-words.ts";
import { effectivePolicy } from "../policy/effective-policy.ts";
import type { PolicyProblem, StoredPolicy } from "../policy-files/policy-folder.ts";
import { addExamples, type CliCommand, exitCodes, type Invocation } from "./command.ts";
import { refusalJson } from "./policy-documents.ts";
import { noteProblems, openPolicyPlace, type PolicyPlace, storedPolicy } from "./policy-place.ts";
import { shownOrigin, shownValue } from "./policy-values.ts";
import { printedMessage } from "./printed-text.ts";
import { tableLines } from "./text-table.ts";

interface ShowOptions {
  readonly effective?: boolean;
}

export const policyShowCommand: CliCommand<ShowOptions> = {
  define(command) {
    command
      .argument("[name]", "policy to show; a list of all if absent")
      .option("--effective", "every value that is in force, and where it comes from");
    addExamples(command, ["backstay policy show", "backstay policy show documents --effective"]);
    command.addHelpText("after", "\nExit code 1 if a file of policies could not be used.");
  },

  async run(invocation) {
    const place = await openPolicyPlace(invocation.environment);
    const [name] = invocation.operands;
    if (name === undefined) return showList(invocation, place);
    showPolicy(invocation, place, storedPolicy(place, name));
    return exitCodes.done;
  },
};

function showList({ screen, globals }: Invocation<ShowOptions>, place: PolicyPlace): number {
  const { policies, problems } = place.loaded;
  if (!globals.json) noteProblems(screen, problems);
  if (globals.json)
    screen.line(
      JSON.stringify({
        policies: [...policies.values()].map((policy) => summary(policy)),
        problems: problems.map(problemJson),
      }),
    );
  else if (policies.size === 0) screen.line("there is no policy");
  else {
    const titles = ["Name", "Kind", "Where to", "When", "Fingerprint"];
    const rows = [...policies.values()].map(({ name, policy, fingerprint, isLastGood }) => [
      [isLastGood ? `${name} (as it was last)` : name],
      [policy.enabled ? policy.kind : `${policy.kind}, off`],
      [printedMessage(policy.destination.repository)],
      [printedMessage(scheduleInWords(policy.schedule))],
      [fingerprint.slice(0, 8)],
    ]);
    for (const line of tableLines(
      titles.map((title) => ({ title })),
      rows,
    ))
      screen.line(line);
  }
  return problems.length > 0 ? exitCodes.failed : exitCodes.done;
}

function showPolicy(
  { screen, globals, options }: Invocation<ShowOptions>,
  { loaded, rails, folder }: PolicyPlace,
  stored: StoredPolicy,
): void {
  const { values } = effectivePolicy(stored.policy, stored.document, rails);
  const shown =
    options.effective === true ? values : values.filter(({ origin }) => origin === "policy");
  const problems = loaded.problems.filter(({ file }) => file === folder.fileOf(stored.name));
  if (globals.json) {
    const effective = options.effective === true ? { effective: shown } : {};
    const document = { document: stored.document, problems: problems.map(problemJson) };
    screen.line(JSON.stringify({ ...summary(stored), ...document, ...effective }));
    return;
  }
  noteProblems(screen, problems);
  screen.line(`file: ${printedMessage(stored.file)}`);
  screen.line(`fingerprint: ${stored.fingerprint}`);
  screen.line();
  const rows = shown.map((value) => [
    [value.setting],
    [shownValue(value.value)],
    ...(options.effective === true ? [[shownOrigin(value)]] : []),
  ]);
  const titles = ["Setting", "Value", ...(options.effective === true ? ["From"] : [])];
  for (const line of tableLines(
    titles.map((title) => ({ title })),
    rows,
  ))
    screen.line(line);
}

function problemJson({ file, code, mistakes }: PolicyProblem): object {
  return { file, ...refusalJson(code, mistakes) };
}

function summary({ name, file, fingerprint, isLastGood, policy }: StoredPolicy): object {
  return {
    name,
    kind: policy.kind,
    enabled: policy.enabled,
    repository: policy.destination.repository,
    file,
    fingerprint,
    last_good: isLastGood,
  };
}
