/** The variables of paths and patterns in a policy: `${user.home}` at the beginning, `${env.NAME}` anywhere. */
import { BackstayError } from "../../protocol/backstay-error.ts";
import { patternOfPath } from "../patterns/pattern.ts";

const homeVariable = /^(!?)\$\{user\.home\}/;
const environmentVariable = /\$\{env\.([^}]*)\}/g;

export interface VariableValues {
  /** The homes of all users. */
  readonly homes: readonly string[];
  readonly environment: (name: string) => string | undefined;
}

/** True if the text stands for something of each user. */
export function isPerUser(text: string): boolean {
  return homeVariable.test(text);
}

/** The paths that a text stands for: one, or one for each user. POLICY_SCOPE if a variable is not set. */
export function expandPath(text: string, values: VariableValues): string[] {
  const path = replaceVariables(text, values, (value) => value);
  if (!isPerUser(path)) return [path];
  return values.homes.map((home) => path.replace(homeVariable, () => home));
}

/** The same for a pattern: what stands for a variable matches only itself. */
export function expandPattern(text: string, values: VariableValues): string[] {
  const pattern = replaceVariables(text, values, escaped);
  if (!isPerUser(pattern)) return [pattern];
  return values.homes.map((home) =>
    pattern.replace(homeVariable, (_, sign: string) => sign + patternOf(home)),
  );
}

function replaceVariables(
  text: string,
  { environment }: VariableValues,
  written: (value: string) => string,
): string {
  return text.replace(environmentVariable, (_, name: string) => {
    const value = environment(name) ?? "";
    if (value === "")
      throw new BackstayError("POLICY_SCOPE", {
        setting: text,
        problem: `the service has no variable ${name}`,
      });
    return written(value);
  });
}

/** A pattern that matches exactly what is at an absolute path, and all below it. */
export function patternOf(path: string): string {
  return escaped(path);
}

/** A value with every character that means something in a pattern taken literally. */
function escaped(value: string): string {
  const pattern = new TextDecoder().decode(patternOfPath(new TextEncoder().encode(value)));
  return value.startsWith("/") ? pattern : pattern.slice(1);
}
