/** What the schema says of a document, in words for the people who wrote it. */
import type { z } from "zod";
import type { Objection } from "./policy-mistake.ts";
import type { SettingPath } from "./setting-path.ts";

type Issue = z.core.$ZodIssue;

const namesOfTypes: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a group of fields",
};

/** The objections behind the issues of the schema; for unknown fields one each. */
export function schemaObjections(issues: readonly Issue[]): Objection[] {
  return issues.flatMap((issue) => {
    const path = settingPath(issue);
    return issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => ({ path: [...path, key], problem: "is not a known field" }))
      : [{ path, problem: problemOf(issue) }];
  });
}

/** The paths of the fields that the schema does not know. */
export function unknownFields(issues: readonly Issue[]): SettingPath[] {
  return issues.flatMap((issue) =>
    issue.code === "unrecognized_keys"
      ? issue.keys.map((key) => [...settingPath(issue), key])
      : issue.code === "invalid_union"
        ? issue.errors
            .flatMap((errors) => unknownFields(errors))
            .map((path) => [...settingPath(issue), ...path])
        : [],
  );
}

function settingPath(issue: Issue): SettingPath {
  return issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
}

function problemOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      if (issue.message.endsWith("received undefined")) return "is missing";
      return `must be ${namesOfTypes[issue.expected] ?? issue.expected}`;
    case "invalid_value":
      return `must be ${alternatives(issue.values.map(String))}`;
    case "invalid_union":
      if (issue.discriminator === undefined) return issue.message;
      return `must be ${alternatives(discriminators(issue))}`;
    case "too_small":
      if (issue.origin === "string" || issue.origin === "array") return "must not be empty";
      return `must be at least ${issue.minimum}`;
    case "too_big":
      if (issue.origin === "string" || issue.origin === "array")
        return `must not be longer than ${issue.maximum}`;
      return `must be at most ${issue.maximum}`;
    default:
      return issue.message;
  }
}

/** The types of zod do not tell of this field. */
function discriminators(issue: Issue): string[] {
  return "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

function alternatives(values: readonly string[]): string {
  return values.length === 1 ? values[0] : `one of ${values.join(", ")}`;
}
