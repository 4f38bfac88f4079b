/** The one form of a policy that says the same whoever wrote it, and its fingerprint. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type Policy, type PolicyDocument, policy } from "../../protocol/policy/policy.ts";

/** The policy as a document with every default in place, values in their shortest written form. */
export function normalisedDocument(given: Policy): PolicyDocument {
  return z.encode(policy, given);
}

/** SHA-256 of the normalised document in JSON with sorted fields; lower-case hex. */
export function policyFingerprint(given: Policy): string {
  return createHash("sha256")
    .update(sortedJson(normalisedDocument(given)))
    .digest("hex");
}

function sortedJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}
