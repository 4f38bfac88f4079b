/** Patterns of a policy that can't be used. */
import { isBackstayError } from "../../protocol/backstay-error.ts";
import type { Policy } from "../../protocol/policy/policy.ts";
import type { Objection } from "../../protocol/policy/policy-mistake.ts";
import { parsePattern } from "../patterns/pattern.ts";

const patternFields = ["includeMasks", "exclude", "excludeIgnoringCase"] as const;

export function patternObjections({ source }: Policy): Objection[] {
  return patternFields.flatMap((field) =>
    source[field].flatMap((text, index) => {
      const reason = reasonAgainst(text, field !== "exclude");
      return reason === undefined ? [] : [{ path: ["source", field, index], problem: reason }];
    }),
  );
}

function reasonAgainst(text: string, caseInsensitive: boolean): string | undefined {
  try {
    // What a variable stands for is taken as it is, and is no pattern.
    parsePattern({ text: text.replaceAll(/\$\{[^}]*\}/g, "x"), caseInsensitive });
    return undefined;
  } catch (error) {
    if (!isBackstayError(error, "USAGE")) throw error;
    return `is no pattern that can be used: ${error.context["reason"]}`;
  }
}
