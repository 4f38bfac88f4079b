/** Files of policies that are named on the command line, read and judged together. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import type { ErrorCode } from "../../protocol/error-catalog.ts";
import type { Mistake } from "../../protocol/policy/policy-mistake.ts";
import { settingText } from "../../protocol/policy/setting-path.ts";
import { acceptPolicies, type Machine } from "../policy/accept-policies.ts";
import { type ReadPolicy, type RefusedPolicy, readPolicies } from "../policy/read-policies.ts";
import { readListFile } from "./list-file.ts";
import { mistakeLine } from "./policy-place.ts";
import type { Screen } from "./screen.ts";

export type GivenPolicy = (ReadPolicy | RefusedPolicy) & {
  /** As it was named; `standard input` for `-`. */
  readonly file: string;
};

/**
 * The policies of the files, in their order, with those refused that can't be used; without a machine only what holds
 * on every machine is looked at. Throws USAGE if none is named or a name is there twice, LIST_UNREADABLE.
 */
export function givenPolicies(files: readonly string[], machine?: Machine): GivenPolicy[] {
  if (files.length === 0)
    throw new BackstayError("USAGE", {
      problem: "name at least one file of policies, or `-` for standard input",
    });
  const given: GivenPolicy[] = files.flatMap((path) => {
    const { name, content } = readListFile(path, "policy");
    return readPolicies(content).map((reading) => ({ ...reading, file: name }));
  });
  const names = given.flatMap((policy) => (policy.kind === "read" ? [policy.name] : []));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new BackstayError("USAGE", { policy: twice, problem: "two of the files hold it" });
  return acceptPolicies(given, machine).map((reading, index) => ({
    ...reading,
    file: given[index].file,
  }));
}

/** The policies, if none is refused. Otherwise says all that is wrong on stderr and throws the first reason. */
export function acceptedPolicies(
  screen: Screen,
  given: readonly GivenPolicy[],
  json: boolean,
): ReadPolicy[] {
  const accepted = given.filter((policy) => policy.kind === "read");
  const [first] = given.filter((policy) => policy.kind === "refused");
  if (first === undefined) return accepted;
  for (const policy of given) if (policy.kind === "refused") noteRefusal(screen, policy, json);
  throw refusalError(first);
}

/** Every mistake one line, or the policy one object. */
function noteRefusal(
  screen: Screen,
  { name, file, code, mistakes }: RefusedPolicy & { readonly file: string },
  json: boolean,
): void {
  if (json)
    screen.note(
      JSON.stringify({
        message_type: "policy_refused",
        name,
        file,
        ...refusalJson(code, mistakes),
      }),
    );
  else for (const mistake of mistakes) screen.note(mistakeLine(file, mistake));
}

/** The error of a refused policy, with its first mistake. */
export function refusalError(policy: RefusedPolicy & { readonly file: string }): BackstayError {
  const { code, file, mistakes } = policy;
  const [{ line, path, problem }] = mistakes;
  return new BackstayError(code, {
    file,
    line,
    problem: `${settingText(path)} ${problem}`.trim(),
  });
}

/** Why a policy can't be used, for programs. */
export function refusalJson(code: ErrorCode, mistakes: readonly Mistake[]): object {
  return {
    error_code: code,
    mistakes: mistakes.map(({ line, column, path, problem }) => ({
      line,
      column,
      setting: settingText(path),
      problem,
    })),
  };
}
