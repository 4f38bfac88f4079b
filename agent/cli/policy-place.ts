/** The policies of this machine, as the commands that change them need them. */
import path from "node:path";
import { openDurableFiles } from "../../platform/open-durable-files.ts";
import { configDirectory, stateDirectory } from "../../platform/standard-paths.ts";
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { GuardRails } from "../../protocol/policy/guard-rails.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { loadConfiguration } from "../policy-files/agent-configuration.ts";
import {
  type LoadedPolicies,
  PolicyFolder,
  type PolicyProblem,
  type StoredPolicy,
} from "../policy-files/policy-folder.ts";
import type { Environment } from "./environment.ts";
import { printedMessage } from "./printed-text.ts";
import type { Screen } from "./screen.ts";

export interface PolicyPlace {
  readonly folder: PolicyFolder;
  readonly rails: GuardRails;
  readonly loaded: LoadedPolicies;
}

/** Rejects with CONFIGURATION_INVALID. */
export async function openPolicyPlace(environment: Environment): Promise<PolicyPlace> {
  const config = configDirectory(environment);
  const { guardRails: rails } = await loadConfiguration(config);
  const folder = new PolicyFolder(
    path.join(config, "policies"),
    path.join(stateDirectory(environment), "policies"),
    openDurableFiles(),
  );
  return { folder, rails, loaded: await folder.load(rails) };
}

/** The policy of that name. Throws POLICY_UNKNOWN, or what is wrong with its file. */
export function storedPolicy({ folder, loaded }: PolicyPlace, name: string): StoredPolicy {
  const policy = loaded.policies.get(name);
  if (policy !== undefined) return policy;
  const problem = loaded.problems.find(({ file }) => file === folder.fileOf(name));
  if (problem === undefined) throw new BackstayError("POLICY_UNKNOWN", { policy: name });
  const [{ line, path: setting, problem: text }] = problem.mistakes;
  throw new BackstayError(problem.code, {
    file: problem.file,
    line,
    problem: `${settingText(setting)} ${text}`.trim(),
  });
}

/** Says on stderr which files are not what they should be. */
export function noteProblems(screen: Screen, problems: readonly PolicyProblem[]): void {
  for (const { file, mistakes } of problems)
    for (const mistake of mistakes) screen.note(mistakeLine(file, mistake));
}

/** `FILE:LINE:COLUMN: SETTING PROBLEM`, as compilers write it and editors understand it. */
export function mistakeLine(file: string, mistake: PolicyProblem["mistakes"][number]): string {
  const { line, column, path: setting, problem } = mistake;
  const text = `${settingText(setting)} ${problem}`.trim();
  return printedMessage(`${file}:${line}:${column}: ${text}`);
}
